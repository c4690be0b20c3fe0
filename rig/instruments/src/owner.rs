//! Gives a driver a thread of its own and its callers a deadline that holds even when the driver's does not.
//!
//! Boundary: threads and channels. A call that is not answered in time is given up and its thread with it: whatever it still does, nobody
//! waits for it, so that a hung instrument cannot keep a station from its safe state.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use brickproof_units::Span;

use crate::clock::Deadline;
use crate::failure::{Failure, FailureKind};

/// Beyond its deadline a driver gets this long to say itself why it failed.
const GRACE: Span = Span::millis(200);

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A driver on its own thread. Dropping it lets the driver finish the call under way and go, and waits a little for that, so that whoever
/// opens the device next finds it free. One that hangs is not waited for any longer.
pub struct Owner<T: ?Sized> {
    device: String,
    /// `None` once it is being dropped.
    jobs: Option<mpsc::Sender<Job<Box<T>>>>,
    /// Closes when the driver is gone.
    ended: Mutex<mpsc::Receiver<Infallible>>,
}

impl<T: ?Sized> Drop for Owner<T> {
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(Duration::from_nanos(GRACE.as_nanos()));
    }
}

impl<T: ?Sized + Send + 'static> Owner<T> {
    /// Takes the driver over. `device` names it in failures.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn new(device: impl Into<String>, driver: Box<T>) -> Result<Self, Failure> {
        let device = device.into();
        let (jobs, inbox) = mpsc::channel::<Job<Box<T>>>();
        let (end, ended) = mpsc::channel();
        thread::Builder::new()
            .name(device.chars().take(15).collect())
            .spawn(move || {
                // Dropped last, also if the driver panics.
                let _end = end;
                let mut driver = driver;
                inbox.into_iter().for_each(|job| job(&mut driver));
            })
            .map_err(|error| Failure::system(&device, "start its thread", error))?;
        Ok(Self { device, jobs: Some(jobs), ended: Mutex::new(ended) })
    }

    /// Its name in failures.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Queues something for the driver to do, after what was queued before. Whoever wants an answer puts a channel into it: the channel
    /// closes without one if the driver panics.
    ///
    /// # Errors
    ///
    /// If the driver is gone.
    pub fn send(&self, asked: &str, job: impl FnOnce(&mut T) + Send + 'static) -> Result<(), Failure> {
        let job: Job<Box<T>> = Box::new(move |driver| job(driver));
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.gone(asked)) }
    }

    /// That the driver ended before it answered.
    pub fn gone(&self, asked: &str) -> Failure {
        Failure::new(&self.device, asked, FailureKind::Gone("its driver ended".to_owned()))
    }

    /// That the driver did not answer in time.
    pub fn no_answer(&self, asked: &str, deadline: Deadline) -> Failure {
        Failure::new(&self.device, asked, FailureKind::NoAnswer(deadline.within()))
    }

    /// How long an answer may be waited for: until the deadline, and then a little, for the driver to say itself why it failed.
    pub fn patience(deadline: Deadline) -> Duration {
        deadline.left() + Duration::from_nanos(GRACE.as_nanos())
    }

    /// Has the driver do something, and waits for it until shortly after the deadline.
    ///
    /// # Errors
    ///
    /// The driver's own, or that it did not come back.
    pub fn call<R: Send + 'static>(
        &self,
        asked: &str,
        deadline: Deadline,
        act: impl FnOnce(&mut T, Deadline) -> Result<R, Failure> + Send + 'static,
    ) -> Result<R, Failure> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.send(asked, move |driver| {
            // Nobody listens any more if the caller gave up.
            let _ = answer.send(act(driver, deadline));
        })?;
        match answered.recv_timeout(Self::patience(deadline)) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(self.no_answer(asked, deadline)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(self.gone(asked)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    trait Bell: Send {
        fn ring(&mut self) -> u32;
    }

    struct Counter(u32);

    impl Bell for Counter {
        fn ring(&mut self) -> u32 {
            self.0 += 1;
            self.0
        }
    }

    fn owner() -> Owner<dyn Bell> {
        Owner::new("bell", Box::new(Counter(0)) as Box<dyn Bell>).expect("threads are to be had")
    }

    #[test]
    fn calls_come_one_after_the_other() {
        let owner = owner();
        for expected in 1..=3 {
            let rung = owner.call("ring", Deadline::after(Span::secs(10)), |bell, _| Ok(bell.ring()));
            assert_eq!(rung.unwrap(), expected);
        }
    }

    #[test]
    fn a_call_that_hangs_is_given_up_and_named() {
        let (owner, barrier) = (owner(), Arc::new(Barrier::new(2)));
        let inside = Arc::clone(&barrier);
        let hung = owner.call("ring", Deadline::after(Span::millis(1)), move |_, _| {
            inside.wait();
            Ok(())
        });
        let failure = hung.unwrap_err();
        assert!(matches!(failure.kind(), FailureKind::NoAnswer(_)), "{failure}");
        assert_eq!(failure.device(), "bell");
        barrier.wait();
    }

    #[test]
    fn a_driver_is_gone_once_its_owner_is_dropped() {
        struct Held(Arc<()>);
        impl Bell for Held {
            fn ring(&mut self) -> u32 {
                Arc::strong_count(&self.0) as u32
            }
        }
        let device = Arc::new(());
        for _ in 0..100 {
            let held = Box::new(Held(Arc::clone(&device))) as Box<dyn Bell>;
            let owner = Owner::new("bell", held).expect("threads are to be had");
            owner
                .send("ring", |bell| {
                    bell.ring();
                })
                .expect("it is there");
            drop(owner);
            assert_eq!(Arc::strong_count(&device), 1, "nobody holds it any more");
        }
    }

    #[test]
    fn a_driver_that_hangs_does_not_keep_its_owner() {
        let (owner, barrier) = (owner(), Arc::new(Barrier::new(2)));
        let inside = Arc::clone(&barrier);
        let sent = owner.send("ring", move |_| {
            inside.wait();
        });
        sent.expect("it is there");
        drop(owner);
        barrier.wait();
    }

    #[test]
    fn a_driver_that_panics_is_gone_and_harms_nobody() {
        let owner = owner();
        let failed = owner.call::<()>("ring", Deadline::after(Span::secs(10)), |_, _| panic!("a driver's bug"));
        assert!(matches!(failed.unwrap_err().kind(), FailureKind::Gone(_)));
        let again = owner.call("ring", Deadline::after(Span::secs(10)), |bell, _| Ok(bell.ring()));
        assert!(matches!(again.unwrap_err().kind(), FailureKind::Gone(_)));
    }
}
