//! GPIO chips of the kernel's own simulator, gpio-sim: made through configfs, seen and pulled through sysfs.
//!
//! Boundary: the far side of the lines. Nothing here uses the character device that the drivers use.

use std::path::{Path, PathBuf};
use std::{fs, io};

use brickproof_paced::line::{Level, Pull};

const CONFIG: &str = "/sys/kernel/config/gpio-sim";

/// A simulated chip. It goes when this is dropped.
pub struct Chip {
    config: PathBuf,
    sysfs: PathBuf,
    node: PathBuf,
}

impl Chip {
    /// A chip with `count` lines, of which some have names.
    ///
    /// # Errors
    ///
    /// What configfs says.
    pub fn new(label: &str, count: u32, names: &[(u32, &str)]) -> io::Result<Self> {
        let config = Path::new(CONFIG).join(label);
        let bank = config.join("bank0");
        fs::create_dir(&config)?;
        fs::create_dir(&bank)?;
        fs::write(bank.join("num_lines"), count.to_string())?;
        fs::write(bank.join("label"), label)?;
        for (offset, name) in names {
            let line = bank.join(format!("line{offset}"));
            fs::create_dir(&line)?;
            fs::write(line.join("name"), name)?;
        }
        fs::write(config.join("live"), "1")?;
        let read = |path: PathBuf| fs::read_to_string(path).map(|text| text.trim().to_owned());
        let chip = read(bank.join("chip_name"))?;
        let device = read(config.join("dev_name"))?;
        Ok(Self {
            sysfs: Path::new("/sys/devices/platform").join(device).join(&chip),
            node: Path::new("/dev").join(chip),
            config,
        })
    }

    /// Its device node.
    pub fn node(&self) -> &Path {
        &self.node
    }

    /// The level of a line as its far side sees it.
    ///
    /// # Errors
    ///
    /// What sysfs says.
    pub fn level(&self, offset: u32) -> io::Result<Level> {
        let text = fs::read_to_string(self.sysfs.join(format!("sim_gpio{offset}/value")))?;
        Ok(if text.trim() == "1" { Level::High } else { Level::Low })
    }

    /// Pulls a line from its far side.
    ///
    /// # Errors
    ///
    /// What sysfs says.
    pub fn pull(&self, offset: u32, pull: Pull) -> io::Result<()> {
        let word = match pull {
            Pull::Up => "pull-up",
            Pull::Down => "pull-down",
        };
        fs::write(self.sysfs.join(format!("sim_gpio{offset}/pull")), word)
    }
}

impl Drop for Chip {
    fn drop(&mut self) {
        // What is left over would only be in the way of a chip of the same label, whose making then says so.
        let _ = fs::write(self.config.join("live"), "0");
        let bank = self.config.join("bank0");
        for entry in fs::read_dir(&bank).into_iter().flatten().flatten() {
            let _ = fs::remove_dir(entry.path());
        }
        let _ = fs::remove_dir(bank);
        let _ = fs::remove_dir(&self.config);
    }
}
