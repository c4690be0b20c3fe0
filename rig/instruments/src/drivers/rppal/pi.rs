//! Whether this computer is a Raspberry Pi, and the one whose registers are going to be mapped.
//!
//! Boundary: text of the device tree. Where `/dev/gpiomem` is missing, rppal maps `/dev/mem` at the address that it believes in, and what it
//! believes in comes first from a line of `/proc/cpuinfo` that other boards have too.

use rppal::system::SoC;

/// Where the kernel shows what it was told to run on.
pub(super) const COMPATIBLE: &str = "/sys/firmware/devicetree/base/compatible";

/// Why nothing is mapped here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Elsewhere {
    #[error("this computer is not a Raspberry Pi")]
    NoPi,
    #[error("rppal takes this computer for one with a {0}, and its device tree does not")]
    OtherPi(SoC),
}

/// Compares what rppal believes (`None`: nothing) with the device tree's list of names, each ended by a zero byte.
pub(super) fn check(compatible: &[u8], believed: Option<SoC>) -> Result<(), Elsewhere> {
    let names: Vec<&[u8]> = compatible.split(|byte| *byte == 0).collect();
    let soc = believed.filter(|_| names.iter().any(|name| name.starts_with(b"raspberrypi,"))).ok_or(Elsewhere::NoPi)?;
    // From arch/arm/boot/dts/bcm283*.dts and bcm2711-rpi-4-b.dts of Linux, recalled; the 2836 and the 2837 have their registers at one place.
    let known: &[&[u8]] = match soc {
        SoC::Bcm2835 => &[b"brcm,bcm2835"],
        SoC::Bcm2836 | SoC::Bcm2837A1 | SoC::Bcm2837B0 => &[b"brcm,bcm2836", b"brcm,bcm2837"],
        SoC::Bcm2711 => &[b"brcm,bcm2711"],
        SoC::Bcm2712 => &[b"brcm,bcm2712"],
        _ => &[],
    };
    if known.iter().any(|name| names.contains(name)) { Ok(()) } else { Err(Elsewhere::OtherPi(soc)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PI_3: &[u8] = b"raspberrypi,3-model-b\0brcm,bcm2837\0";

    #[test]
    fn a_pi_that_rppal_knows_is_one() {
        for (tree, soc) in [
            (PI_3, SoC::Bcm2837A1),
            (b"raspberrypi,4-model-b\0brcm,bcm2711\0", SoC::Bcm2711),
            (b"raspberrypi,5-model-b\0brcm,bcm2712\0", SoC::Bcm2712),
            (b"raspberrypi,2-model-b-rev2\0brcm,bcm2837\0", SoC::Bcm2836),
        ] {
            assert_eq!(check(tree, Some(soc)), Ok(()), "{soc}");
        }
    }

    #[test]
    fn another_computer_is_none_whatever_its_processor_says() {
        assert_eq!(check(b"", Some(SoC::Bcm2711)), Err(Elsewhere::NoPi));
        assert_eq!(check(b"hardkernel,odroid-c2\0amlogic,meson-gxbb\0", Some(SoC::Bcm2835)), Err(Elsewhere::NoPi));
        assert_eq!(check(PI_3, None), Err(Elsewhere::NoPi));
    }

    #[test]
    fn a_pi_that_is_taken_for_another_is_refused() {
        // Its registers would be looked for where this one has memory.
        assert_eq!(check(PI_3, Some(SoC::Bcm2711)), Err(Elsewhere::OtherPi(SoC::Bcm2711)));
        assert!(check(b"raspberrypi,4-model-b\0brcm,bcm27110\0", Some(SoC::Bcm2711)).is_err());
    }
}
