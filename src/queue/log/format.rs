/*!
The bytes of a segment file: its header, and the headers of its records.

Everything is little-endian. A checksum is a CRC-32C.

```text
segment   0        8         12       16     24          32        40      44
          ┌────────┬─────────┬────────┬──────┬───────────┬─────────┬───────┬──────────────┬───────┐
          │ magic  │ version │ length │ lane │ first seq │ created │ count │ count × id   │ crc   │
          │ 8      │ u32     │ u32    │ u64  │ u64       │ unix ms │ u32   │ u16, bytes   │ u32   │
          └────────┴─────────┴────────┴──────┴───────────┴─────────┴───────┴──────────────┴───────┘
record    0       4        8     16      20            24           28
          ┌───────┬────────┬─────┬───────┬─────────────┬────────────┬─────────┐
          │ magic │ length │ seq │ items │ payload crc │ header crc │ payload │
          │ u32   │ u32    │ u64 │ u32   │ u32         │ u32        │ length  │
          └───────┴────────┴─────┴───────┴─────────────┴────────────┴─────────┘
```

A segment of version 1 has traces. One of version 2 has, between *created* and
*count*, a u32 that says its signal: 1 for metrics, 2 for logs. Segments of traces are
written as version 1, so that an earlier release can read them.

A segment header's length counts all of it, its checksum too; any later version
keeps magic, version, length and the place of the checksum. A record's header
checksum starts from the lane's number, so that what a payload contains, or a
block of another file, is not taken for a record of this lane.
*/

use super::ids::{LaneId, Seq};
use crate::pdata::Signal;
use crc32c::{crc32c, crc32c_append};

const SEGMENT_MAGIC: &[u8; 8] = b"wayspanL";
/// The version of a segment of traces, which names no signal.
const TRACES: u32 = 1;
/// The version of a segment that names its signal.
const SIGNAL: u32 = 2;

/// First bytes of every record.
pub(super) const RECORD_MAGIC: [u8; 4] = *b"\xb7wsr";

/// Length of a record's header in bytes.
pub(super) const RECORD_HEADER: usize = 28;

/// Longest payload of a record in bytes.
pub(super) const MAX_PAYLOAD: usize = 1 << 30;

/// Longest segment header in bytes.
pub(super) const MAX_SEGMENT_HEADER: usize = 64 << 10;

/// Bytes before the exporters, and the fewest that a header can have after.
const FIXED: usize = 44;
const CRC: usize = 4;

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(crate) lane: LaneId,
    /// The number of its first record.
    pub(crate) first: Seq,
    /// Unix milliseconds.
    pub(crate) created: u64,
    /// What its records carry.
    pub(crate) signal: Signal,
    /// The exporters that are to get its records.
    pub(crate) exporters: Vec<String>,
}

/// Why there is no [`SegmentHeader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// The file ends within it.
    Short,
    /// It is not what was written.
    Damaged,
    /// It is intact, and of another version.
    Version(u32),
}

impl SegmentHeader {
    /// Returns the length of this header in bytes.
    pub(super) fn len(&self) -> usize {
        let ids = self.exporters.iter().map(|id| 2 + id.len());
        let signal = match self.version() {
            TRACES => 0,
            _ => size_of::<u32>(),
        };
        FIXED + signal + ids.sum::<usize>() + CRC
    }

    fn version(&self) -> u32 {
        match self.signal {
            Signal::Traces => TRACES,
            Signal::Metrics | Signal::Logs => SIGNAL,
        }
    }

    /// Appends the header. Ids are at most `u16::MAX` bytes long and all of it
    /// at most [`MAX_SEGMENT_HEADER`]: opening a log checks that.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(SEGMENT_MAGIC);
        out.extend_from_slice(&self.version().to_le_bytes());
        out.extend_from_slice(&(self.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.lane.0.to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.created.to_le_bytes());
        if self.version() == SIGNAL {
            out.extend_from_slice(&(self.signal as u32).to_le_bytes());
        }
        out.extend_from_slice(&(self.exporters.len() as u32).to_le_bytes());
        for id in &self.exporters {
            out.extend_from_slice(&(id.len() as u16).to_le_bytes());
            out.extend_from_slice(id.as_bytes());
        }
        let crc = crc32c(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// Reads the header that `bytes`, the beginning of a file, start with, and
    /// says how long it is.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), NoHeader> {
        let have = bytes.len().min(SEGMENT_MAGIC.len());
        if bytes.get(..have) != SEGMENT_MAGIC.get(..have) {
            return Err(NoHeader::Damaged);
        }
        let mut fields = ByteReader(bytes.get(have..).unwrap_or_default());
        let version = fields.u32().ok_or(NoHeader::Short)?;
        let length = fields.u32().ok_or(NoHeader::Short)? as usize;
        if !(FIXED + CRC..=MAX_SEGMENT_HEADER).contains(&length) {
            return Err(NoHeader::Damaged);
        }
        let (body, crc) = bytes
            .get(..length)
            .and_then(|whole| whole.split_at_checked(length - CRC))
            .ok_or(NoHeader::Short)?;
        if ByteReader(crc).u32() != Some(crc32c(body)) {
            return Err(NoHeader::Damaged);
        }
        if ![TRACES, SIGNAL].contains(&version) {
            return Err(NoHeader::Version(version));
        }
        Self::fields(body, version)
            .map(|header| (header, length))
            .ok_or(NoHeader::Damaged)
    }

    fn fields(body: &[u8], version: u32) -> Option<Self> {
        let mut fields = ByteReader(body.get(SEGMENT_MAGIC.len() + 8..)?);
        let lane = LaneId(fields.u64()?);
        let (first, created) = (fields.u64()?, fields.u64()?);
        let signal = match version {
            TRACES => Signal::Traces,
            _ => Signal::ALL.into_iter().nth(fields.u32()? as usize)?,
        };
        let count = fields.u32()?;
        let mut exporters = Vec::new();
        for _ in 0..count {
            let length = fields.u16()?;
            let id = std::str::from_utf8(fields.take(length.into())?).ok()?;
            exporters.push(id.to_owned());
        }
        Some(Self {
            lane,
            first,
            created,
            signal,
            exporters,
        })
    }
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    /// The length of the payload in bytes.
    pub(crate) length: u32,
    pub(crate) seq: Seq,
    pub(crate) items: u32,
    pub(crate) payload_crc: u32,
}

impl RecordHeader {
    /// Makes the header of a payload of at most [`MAX_PAYLOAD`] bytes.
    pub(super) fn of(payload: &[u8], seq: Seq, items: u32) -> Self {
        Self {
            length: payload.len() as u32,
            seq,
            items,
            payload_crc: crc32c(payload),
        }
    }

    pub(super) fn bytes(&self, lane: LaneId) -> [u8; RECORD_HEADER] {
        let mut out = [0; RECORD_HEADER];
        let (body, crc) = out.split_at_mut(RECORD_HEADER - CRC);
        let (magic, rest) = body.split_at_mut(4);
        magic.copy_from_slice(&RECORD_MAGIC);
        let (length, rest) = rest.split_at_mut(4);
        length.copy_from_slice(&self.length.to_le_bytes());
        let (seq, rest) = rest.split_at_mut(8);
        seq.copy_from_slice(&self.seq.to_le_bytes());
        let (items, payload_crc) = rest.split_at_mut(4);
        items.copy_from_slice(&self.items.to_le_bytes());
        payload_crc.copy_from_slice(&self.payload_crc.to_le_bytes());
        crc.copy_from_slice(&header_crc(lane, body).to_le_bytes());
        out
    }

    /// Reads the header that `bytes` start with, if they do and it is intact.
    pub(super) fn read(bytes: &[u8], lane: LaneId) -> Option<Self> {
        let (body, crc) = bytes
            .get(..RECORD_HEADER)?
            .split_at_checked(RECORD_HEADER - CRC)?;
        let mut fields = ByteReader(body.strip_prefix(&RECORD_MAGIC)?);
        if ByteReader(crc).u32()? != header_crc(lane, body) {
            return None;
        }
        let header = Self {
            length: fields.u32()?,
            seq: fields.u64()?,
            items: fields.u32()?,
            payload_crc: fields.u32()?,
        };
        (header.length as usize <= MAX_PAYLOAD && header.seq < Seq::MAX).then_some(header)
    }

    /// Returns the length of header and payload in bytes.
    pub(super) fn whole(&self) -> u64 {
        RECORD_HEADER as u64 + u64::from(self.length)
    }

    /// Returns true for the payload that was written.
    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize && crc32c(payload) == self.payload_crc
    }
}

fn header_crc(lane: LaneId, body: &[u8]) -> u32 {
    crc32c_append(crc32c(&lane.0.to_le_bytes()), body)
}

/// Returns the records of bytes that were encoded here: their headers, and where
/// they end. Stops where something else follows.
pub(super) fn records(
    bytes: &[u8],
    lane: LaneId,
) -> impl Iterator<Item = (RecordHeader, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let header = RecordHeader::read(bytes.get(at..)?, lane)?;
        at += header.whole() as usize;
        (at <= bytes.len()).then_some((header, at))
    })
}

/// Takes numbers and strings off the front of bytes.
pub(super) struct ByteReader<'a>(pub(crate) &'a [u8]);

impl<'a> ByteReader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LANE: LaneId = LaneId(0x0123_4567_89ab_cdef);

    fn header(signal: Signal, exporters: &[&str]) -> SegmentHeader {
        SegmentHeader {
            lane: LANE,
            first: 77,
            created: 1_700_000_000_000,
            signal,
            exporters: exporters.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn a_segment_header_is_read_back_or_not_at_all() {
        for (signal, exporters) in [
            (Signal::Traces, &[][..]),
            (Signal::Logs, &["otlp"]),
            (Signal::Metrics, &[]),
            (Signal::Traces, &["otlp/jaeger", "", "debug"]),
        ] {
            let header = header(signal, exporters);
            let mut bytes = vec![];
            header.write(&mut bytes);
            assert_eq!(bytes.len(), header.len());
            bytes.extend_from_slice(b"what follows");
            assert_eq!(
                SegmentHeader::read(&bytes),
                Ok((header.clone(), header.len()))
            );
            for cut in 0..header.len() {
                let cut = bytes.get(..cut).unwrap();
                assert_eq!(SegmentHeader::read(cut), Err(NoHeader::Short));
            }
            for at in 0..header.len() {
                for bit in 0..8 {
                    let mut changed = bytes.clone();
                    changed[at] ^= 1 << bit;
                    let read = SegmentHeader::read(&changed);
                    // A length can seem to lie beyond the file.
                    let short = (12..16).contains(&at) && read == Err(NoHeader::Short);
                    assert!(short || read == Err(NoHeader::Damaged), "{at}: {read:?}");
                }
            }
        }
    }

    #[test]
    fn a_record_header_is_read_back_in_its_lane_or_not_at_all() {
        let header = RecordHeader::of(b"payload", 5, 3);
        let bytes = header.bytes(LANE);
        assert_eq!(RecordHeader::read(&bytes, LANE), Some(header));
        assert_eq!(RecordHeader::read(&bytes, LaneId(LANE.0 + 1)), None);
        assert!(header.fits(b"payload") && !header.fits(b"paYload") && !header.fits(b"payloa"));
        for at in 0..RECORD_HEADER {
            assert_eq!(RecordHeader::read(&bytes[..at], LANE), None);
            for bit in 0..8 {
                let mut changed = bytes;
                changed[at] ^= 1 << bit;
                assert_eq!(RecordHeader::read(&changed, LANE), None);
            }
        }
    }

    #[test]
    fn records_of_a_buffer_are_told_apart() {
        let mut bytes = vec![];
        for (seq, payload) in [(3, &b"abc"[..]), (4, b""), (9, b"defgh")] {
            bytes.extend(RecordHeader::of(payload, seq, 1).bytes(LANE));
            bytes.extend(payload);
        }
        let found: Vec<_> = records(&bytes, LANE).map(|(h, end)| (h.seq, end)).collect();
        assert_eq!(found, [(3, 31), (4, 59), (9, 92)]);
        let cut = bytes.get(..91).unwrap();
        assert_eq!(records(cut, LANE).count(), 2);
    }
}
