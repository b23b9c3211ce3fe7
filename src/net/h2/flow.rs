/*!
Windows (RFC 9113, 5.2).
*/

use super::frame::MAX_31;

/// What every window is at first.
pub(crate) const INITIAL: u32 = 65_535;

/// What a peer may still send. It is topped up as soon as half of it is used:
/// what has arrived is bounded elsewhere, by the budget for half-received bodies.
#[derive(Debug)]
pub(crate) struct Inflow {
    left: u32,
    size: u32,
}

impl Inflow {
    /// A full window.
    pub(crate) fn new(size: u32) -> Self {
        Self { left: size, size }
    }

    /// Uses some of it; false: there is not so much left.
    #[must_use]
    pub(crate) fn take(&mut self, octets: usize) -> bool {
        let left = u32::try_from(octets)
            .ok()
            .and_then(|n| self.left.checked_sub(n));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Returns the increment for a WINDOW_UPDATE if one should be sent, and fills
    /// the window up.
    pub(crate) fn top_up(&mut self) -> Option<u32> {
        let used = self.size - self.left;
        if used <= self.size / 2 {
            return None;
        }
        self.left = self.size;
        Some(used)
    }
}

/// What may still be sent to a peer. Below zero where the peer has taken back
/// what it had granted (RFC 9113, 6.9.2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outflow(i64);

impl Outflow {
    /// A window of that size.
    pub(crate) fn new(size: u32) -> Self {
        Self(i64::from(size))
    }

    /// What may be sent now.
    pub(crate) fn left(self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    /// Notes that so much was sent.
    pub(crate) fn sent(&mut self, octets: usize) {
        self.0 -= octets as i64;
    }

    /// Changes it; false: it is larger than windows may be.
    #[must_use]
    pub(crate) fn change(&mut self, by: i64) -> bool {
        self.0 += by;
        self.0 <= i64::from(MAX_31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_topped_up_when_half_used() {
        let mut inflow = Inflow::new(10);
        assert!(inflow.take(5));
        assert_eq!(inflow.top_up(), None);
        assert!(!inflow.take(6));
        assert!(inflow.take(1));
        assert_eq!(inflow.top_up(), Some(6));
        assert!(inflow.take(10));
    }

    #[test]
    fn windows_may_fall_below_zero_and_not_overflow() {
        let mut outflow = Outflow::new(10);
        outflow.sent(8);
        assert!(outflow.change(-5));
        assert_eq!(outflow.left(), 0);
        assert!(outflow.change(4));
        assert_eq!(outflow.left(), 1);
        assert!(outflow.change(i64::from(MAX_31) - 1));
        assert!(!outflow.change(1));
    }
}
