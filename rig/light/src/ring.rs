//! The last few of something, without allocation.
//!
//! Boundary: a container; the newest item is at index 0.

/// Keeps the newest `N` items and forgets older ones.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T, const N: usize> {
    items: [T; N],
    next: usize,
    len: usize,
}

impl<T: Copy + Default, const N: usize> Ring<T, N> {
    pub(crate) fn new() -> Self {
        Self { items: [T::default(); N], next: 0, len: 0 }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items[self.next] = item;
        self.next = (self.next + 1) % N;
        self.len = (self.len + 1).min(N);
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// The item pushed `age` items ago; 0 is the newest.
    pub(crate) fn get(&self, age: usize) -> Option<&T> {
        (age < self.len).then(|| &self.items[(self.next + N - 1 - age) % N])
    }

    pub(crate) fn newest_mut(&mut self) -> Option<&mut T> {
        (self.len > 0).then(|| &mut self.items[(self.next + N - 1) % N])
    }

    /// From the newest to the oldest.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &T> + Clone {
        (0..self.len).filter_map(|age| self.get(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut ring = Ring::<u8, 3>::new();
        for item in 1..=4 {
            ring.push(item);
        }
        assert_eq!(ring.newest_first().copied().collect::<Vec<_>>(), [4, 3, 2]);
        assert_eq!(ring.get(3), None);
        ring.clear();
        assert_eq!(ring.get(0), None);
    }
}
