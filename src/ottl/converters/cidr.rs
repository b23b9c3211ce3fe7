/*! Networks of IP addresses, such as `10.0.0.0/8`. */

use std::net::IpAddr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ottl) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads an address and how many of its bits count.
    pub(in crate::ottl) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let is_number = bits.bytes().all(|b| b.is_ascii_digit());
        let bits: u32 = bits.parse().ok().filter(|_| is_number)?;
        let written: IpAddr = address.parse().ok()?;
        let address = written.to_canonical();
        let most = if written.is_ipv4() { 32 } else { 128 };
        // An address of version 4 may be written as one of version 6.
        let spare = if address.is_ipv4() { most - 32 } else { 0 };
        (bits <= most).then_some(Self {
            address,
            bits: bits.saturating_sub(spare),
        })
    }

    /// Whether an address of either form is in the network.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        let (one, other) = (bits_of(self.address), bits_of(address.to_canonical()));
        // The bits that count are the upper ones.
        let differ = (one.0 ^ other.0).checked_shr(128 - self.bits).unwrap_or(0);
        one.1 == other.1 && differ == 0
    }
}

/// The bits of an address, the first one highest, and whether it is of version 4.
fn bits_of(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, true),
        IpAddr::V6(address) => (address.to_bits(), false),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_their_networks() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.0.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.1/32", "::ffff:192.0.2.1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
            ("2001:db8::/32", "2001:db8:1::2", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("::/0", "2001::", true),
        ] {
            let network = Network::parse(network).unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network:?} {address}"
            );
        }
        for wrong in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "a/8",
            "::/129",
        ] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
