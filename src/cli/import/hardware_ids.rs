//! The vendor and device lists of the PCI and USB ID projects, as Debian installs them.
//!
//! A vendor is a line of four hex digits, two spaces and a name; its devices follow, each after one
//! tab; lines after two tabs name subsystems and interfaces and are skipped. The first line that
//! begins another section (`C 00`, `AT 0000`, `HID 21` …) ends the list. The syntax is described at
//! the head of both files. Each vendor is a prefix and each device an identifier: the lists number
//! their vendors independently, hence two ranges of prefixes.

use super::format::{ReadLines, Reading, Registration, UrlValue, not_utf8};

/// A list while it is read.
#[derive(Debug)]
pub struct HardwareIds {
    bus: Bus,
    vendor: Option<(u16, String)>,
    ended: bool,
}

/// Which list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// `pci.ids`.
    Pci,
    /// `usb.ids`.
    Usb,
}

/// What a line of a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A comment, a blank line, or a part of a device.
    Nothing,
    /// A vendor.
    Vendor(u16, &'a str),
    /// A device of the last vendor.
    Device(u16, &'a str),
    /// The beginning of a section without vendors.
    Section,
}

impl HardwareIds {
    /// A list, at its first line.
    pub fn new(bus: Bus) -> Self {
        Self { bus, vendor: None, ended: false }
    }

    fn registration(&self, device: u16, model: &str) -> Reading {
        let Some((vendor, vendor_name)) = &self.vendor else {
            return Reading::Fault("a device without a vendor line that can be read".into());
        };
        let (bus, first, site) = match self.bus {
            Bus::Pci => ("PCI", 100_000, "https://pci-ids.ucw.cz/read/PC"),
            Bus::Usb => ("USB", 200_000, "https://usb-ids.gowdy.us/read/UD"),
        };
        let identifier = format!("88.118.{}/{device:04X}", first + u32::from(*vendor));
        let url = format!("{site}/{vendor:04x}/{device:04x}");
        let attributes = vec![("bus", bus), ("model", model), ("vendor", vendor_name)];
        let values = Some([UrlValue::new(&url)]);
        Registration { identifier: &identifier, values, attributes }.reading()
    }
}

impl ReadLines for HardwareIds {
    fn read(&mut self, line: &[u8]) -> Reading {
        if self.ended {
            return Reading::Nothing;
        }
        match parse_line(line) {
            Ok(Entry::Nothing) => Reading::Nothing,
            Ok(Entry::Section) => {
                self.ended = true;
                Reading::Nothing
            }
            Ok(Entry::Vendor(vendor, name)) => {
                self.vendor = Some((vendor, name.to_owned()));
                Reading::Nothing
            }
            Ok(Entry::Device(device, name)) => self.registration(device, name),
            Err(reason) => {
                // What follows a broken vendor line is not of the vendor before it.
                if !line.starts_with(b"\t") {
                    self.vendor = None;
                }
                Reading::Fault(reason)
            }
        }
    }
}

/// Reads one line, without its end. Takes any bytes.
pub fn parse_line(line: &[u8]) -> Result<Entry<'_>, String> {
    if line.starts_with(b"#") || line.starts_with(b"\t\t") || line.trim_ascii().is_empty() {
        return Ok(Entry::Nothing);
    }
    let text = std::str::from_utf8(line).map_err(|error| not_utf8(&error))?;
    if let Some(text) = text.strip_prefix('\t') {
        let (device, name) = number_and_name(text)
            .ok_or("no device: four hex digits, two spaces and a name after a tab")?;
        return Ok(Entry::Device(device, name));
    }
    if let Some((vendor, name)) = number_and_name(text) {
        return Ok(Entry::Vendor(vendor, name));
    }
    if is_section(text) {
        return Ok(Entry::Section);
    }
    Err("neither vendor nor device: four hex digits, two spaces and a name".into())
}

fn number_and_name(text: &str) -> Option<(u16, &str)> {
    let (digits, name) = text.split_at_checked(4)?;
    let name = name.strip_prefix("  ")?.trim();
    if name.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u16::from_str_radix(digits, 16).ok()?, name))
}

/// Whether the line begins with a section's letters and a number: `C 0c`, `VT 0100`, `PHY 01`.
fn is_section(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let letters = words.next().unwrap_or_default();
    let number = words.next().unwrap_or_default();
    (1..=4).contains(&letters.len())
        && letters.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=4).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const EXCERPT: &str = "#\n#\tList of PCI ID's\n\n\
        001c  PEAK-System Technik GmbH\n\
        \t0001  PCAN-PCI CAN-Bus controller\n\
        \t\t001c 0004  2 Channel CAN Bus SJC1000\n\
        # a comment\n\
        10de  NVIDIA Corporation\n\
        \t1db4  GV100GL [Tesla V100 PCIe 16GB]\n\
        C 00  Unclassified device\n\
        \t00  Non-VGA unclassified device\n\
        ffff  not a vendor any more\n";

    fn read_all(bus: Bus, text: &[u8]) -> (Vec<serde_json::Value>, Vec<(usize, String)>) {
        let mut list = HardwareIds::new(bus);
        let (mut registrations, mut faults) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            match list.read(line) {
                Reading::Registration(json) => {
                    registrations.push(serde_json::from_slice(&json).unwrap());
                }
                Reading::Fault(reason) => faults.push((number, reason)),
                _ => {}
            }
        }
        (registrations, faults)
    }

    #[test]
    fn devices_become_registrations() {
        let (registrations, faults) = read_all(Bus::Pci, EXCERPT.as_bytes());
        assert_eq!(faults, []);
        assert_eq!(registrations.len(), 2);
        assert_eq!(
            registrations[1],
            serde_json::json!({
                "identifier": "88.118.104318/1DB4",
                "values": [{
                    "index": 1,
                    "type": "URL",
                    "data": "https://pci-ids.ucw.cz/read/PC/10de/1db4",
                }],
                "attributes": {
                    "bus": "PCI",
                    "model": "GV100GL [Tesla V100 PCIe 16GB]",
                    "vendor": "NVIDIA Corporation",
                },
            })
        );
    }

    #[test]
    fn broken_lines_are_reported_and_passed() {
        let text = b"8087  Intel Corp.\n\t0a2b  Bluetooth\n\t0a2  short\n80\xff7  Broken\n\
            \t0001  Orphan\n1234  Next\n\t0002  Device\nnonsense here\n\t0003  Orphan\n";
        let (registrations, faults) = read_all(Bus::Usb, text);
        let identifiers: Vec<_> = registrations.iter().map(|one| &one["identifier"]).collect();
        assert_eq!(identifiers, ["88.118.232903/0A2B", "88.118.204660/0002"]);
        assert_eq!(
            registrations[0]["values"][0]["data"],
            "https://usb-ids.gowdy.us/read/UD/8087/0a2b"
        );
        let lines: Vec<_> = faults.iter().map(|(number, _)| *number).collect();
        assert_eq!(lines, [3, 4, 5, 8, 9]);
    }

    #[test]
    fn the_lists_of_this_machine_are_read_whole() {
        for (bus, path, least, known) in [
            (Bus::Pci, "/usr/share/misc/pci.ids", 15_000, "88.118.104318/1DB4"),
            (Bus::Usb, "/var/lib/usbutils/usb.ids", 15_000, "88.118.232903/0A2B"),
        ] {
            let Ok(text) = std::fs::read(path) else { continue };
            let (registrations, faults) = read_all(bus, &text);
            assert!(registrations.len() > least, "{path}: {}", registrations.len());
            assert!(faults.len() < 10, "{path}: {faults:?}");
            let identifiers: BTreeSet<_> =
                registrations.iter().filter_map(|one| one["identifier"].as_str()).collect();
            assert!(identifiers.contains(known), "{path}");
            assert!(identifiers.len() + 10 > registrations.len(), "{path}: many duplicates");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..9)) {
            let mut list = HardwareIds::new(Bus::Usb);
            lines.iter().for_each(|line| drop(list.read(line)));
        }

        #[test]
        fn any_device_is_found(vendor: u16, device: u16, name in "[^\\p{Cc} ]{1,20}") {
            let text = format!("{vendor:04x}  {name}\n\t{device:04x}  {name}\n");
            let (registrations, faults) = read_all(Bus::Pci, text.as_bytes());
            prop_assert_eq!(faults, vec![]);
            let identifier = format!("88.118.{}/{device:04X}", 100_000 + u32::from(vendor));
            prop_assert_eq!(&registrations[0]["identifier"], &identifier);
        }
    }
}
