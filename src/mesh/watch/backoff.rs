/*! Pauses between attempts: each twice the one before, with up to half taken off. */

use std::time::Duration;

/// The pauses of one series of attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Begins with `first`, and grows up to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            next: first,
            longest,
        }
    }

    /// The next pause.
    pub fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.5..1.0));
        self.next = (self.next * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        for most in [1, 2, 4, 5, 5] {
            let (pause, most) = (backoff.next(), Duration::from_secs(most));
            assert!(pause >= most / 2 && pause < most, "{pause:?} of {most:?}");
        }
    }
}
