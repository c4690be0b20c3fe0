//! `2b04:d006`: how people write which USB device they mean.
//!
//! Boundary: text.

/// Vendor and product.
pub fn parse(id: &str) -> Option<(u16, u16)> {
    let (vendor, product) = id.split_once(':')?;
    Some((u16::from_str_radix(vendor, 16).ok()?, u16::from_str_radix(product, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_two_numbers_of_sixteen_bits() {
        assert_eq!(parse("2b04:D006"), Some((0x2B04, 0xD006)));
        for wrong in ["", "2b04", "2b04:", "2b04:d006:1", "12b04:d006", "2b04:x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
