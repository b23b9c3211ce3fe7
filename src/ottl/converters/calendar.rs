/*! Times as years, months and days: the Gregorian calendar, before 1582 too. */

use crate::ottl::value::Time;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

const DAY: i64 = 86_400;

/// A time as a clock on the wall shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: u32,
    /// From 1.
    pub(super) day: u32,
    /// From Sunday, 0.
    pub(super) weekday: u32,
    pub(super) hour: u32,
    pub(super) minute: u32,
    pub(super) second: u32,
    pub(super) nanosecond: u32,
    /// Seconds by which the clock is ahead of UTC.
    pub(super) offset: i32,
}

impl Calendar {
    pub(super) fn of(time: Time) -> Self {
        let seconds = time.nanos.div_euclid(1_000_000_000) + i64::from(time.offset);
        let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Years begin in March here, so that the odd day is the last.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let small = |n: i64| u32::try_from(n).unwrap_or_default();
        Self {
            year: era * 400 + year + i64::from(month <= 2),
            month: small(month),
            day: small(day),
            weekday: small((days + 4).rem_euclid(7)),
            hour: small(second / 3600),
            minute: small(second / 60 % 60),
            second: small(second % 60),
            nanosecond: small(time.nanos.rem_euclid(1_000_000_000)),
            offset: time.offset,
        }
    }

    /// The time that the clock shows; the weekday does not count. None: it is out of range.
    pub(super) fn time(&self) -> Option<Time> {
        let year = self.year - i64::from(self.month <= 2);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month = (i64::from(self.month) + 9) % 12;
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let seconds = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        let seconds = days.checked_mul(DAY)? + seconds - i64::from(self.offset);
        let nanos = seconds.checked_mul(1_000_000_000)?;
        Some(Time {
            nanos: nanos.checked_add(i64::from(self.nanosecond))?,
            offset: self.offset,
        })
    }
}

/// How many days a month has.
pub(super) fn days_of(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_dates_and_back() {
        for (nanos, offset, expected) in [
            (0, 0, (1970, 1, 1, 4, 0, 0, 0, 0)),
            (
                1_700_000_000_123_456_789,
                0,
                (2023, 11, 14, 2, 22, 13, 20, 123_456_789),
            ),
            (1_709_164_800_000_000_000, 0, (2024, 2, 29, 4, 0, 0, 0, 0)),
            (951_868_799_000_000_000, 0, (2000, 2, 29, 2, 23, 59, 59, 0)),
            (-1, 0, (1969, 12, 31, 3, 23, 59, 59, 999_999_999)),
            (0, -3600, (1969, 12, 31, 3, 23, 0, 0, 0)),
            (
                -7_000_000_000_000_000_000,
                0,
                (1748, 3, 6, 3, 11, 33, 20, 0),
            ),
        ] {
            let time = Time { nanos, offset };
            let c = Calendar::of(time);
            let found = (
                c.year,
                c.month,
                c.day,
                c.weekday,
                c.hour,
                c.minute,
                c.second,
                c.nanosecond,
            );
            assert_eq!(found, expected, "{nanos}");
            assert_eq!(c.time(), Some(time));
        }
        assert_eq!(
            (days_of(1900, 2), days_of(2000, 2), days_of(2023, 11)),
            (28, 29, 30)
        );
    }
}
