/*!
Walks the records of one segment file, past whatever is damaged.

- A payload that is not what was written: its header is intact, so the record
  is stepped over by its length.
- A header that is not what was written: the walk goes on at the next intact
  header with a number greater than the last one. Everything between counts as
  one damage.
- An end within a record, or zeros up to the end, of the lane's last segment: a
  write that never finished, so nobody was told that it had. That is told apart
  from damage, which it is where a later segment was begun.

No length is believed before the header's checksum and the size of the file
agree with it; memory grows by what the file has.
*/

use super::{
    format::{
        MAX_SEGMENT_HEADER, NoHeader, RECORD_HEADER, RECORD_MAGIC, RecordHeader, SegmentHeader,
    },
    ids::{LaneId, Seq},
};
use bytes::Bytes;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

/// Bytes read at once when there is no reason to read more.
const WINDOW: usize = 256 << 10;

/// Bytes that nearly all segment headers fit in.
const SHORT_HEADER: usize = 4 << 10;

/// A place in a segment file.
pub(super) struct SegmentWalk {
    file: File,
    lane: LaneId,
    /// Bytes of the file that count.
    length: u64,
    at: u64,
    /// Numbers that the next record may have.
    allowed: Range<Seq>,
    /// The file ended within its header.
    short: bool,
    window: Bytes,
    window_at: u64,
    /// Bytes to read at once.
    pub(crate) ahead: usize,
}

/// What the walk comes to.
#[derive(Debug)]
pub(super) enum WalkStep {
    /// A record whose header is intact. It is for the caller to take its
    /// payload or to skip it.
    Record(RecordHeader),
    /// Bytes from here that are no record; the walk is past them.
    Damage { at: u64 },
    /// The end, and the bytes of an unfinished write there.
    End { torn: u64 },
}

impl SegmentWalk {
    /// At the first record of the segment file `path`, of which the first
    /// `length` bytes count. Its records have numbers in `allowed`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is intact and of another version.
    pub(super) fn open(
        path: &Path,
        lane: LaneId,
        length: u64,
        allowed: Range<Seq>,
    ) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = length.min(file.metadata()?.len());
        let mut walk = Self {
            file,
            lane,
            length,
            at: 0,
            allowed,
            short: false,
            window: Bytes::new(),
            window_at: 0,
            ahead: SHORT_HEADER,
        };
        let header = walk.header()?;
        walk.ahead = WINDOW;
        match header {
            Ok((header, length)) if header.lane == lane => walk.at = length as u64,
            Err(NoHeader::Version(version)) => return Err(other_version(version)),
            Err(NoHeader::Short) => walk.short = true,
            // The records are looked for from the file's first byte.
            Ok(_) | Err(NoHeader::Damaged) => {}
        }
        Ok(walk)
    }

    fn header(&mut self) -> io::Result<Result<(SegmentHeader, usize), NoHeader>> {
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        let begin = self.bytes(0, length.min(SHORT_HEADER))?;
        Ok(match SegmentHeader::read(&begin) {
            Err(NoHeader::Short) if length > SHORT_HEADER => {
                SegmentHeader::read(&self.bytes(0, length.min(MAX_SEGMENT_HEADER))?)
            }
            header => header,
        })
    }

    /// The header of the segment file `path`, if it is intact.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is intact and of another version.
    pub(super) fn header_of(path: &Path, lane: LaneId) -> io::Result<Option<SegmentHeader>> {
        let mut walk = Self::open(path, lane, u64::MAX, 0..Seq::MAX)?;
        let header = walk.header()?.ok().map(|(header, _)| header);
        Ok(header.filter(|header| header.lane == lane))
    }

    /// Goes to an offset at which the record `seq`, or one after it, is known
    /// to start.
    pub(super) fn go_to(&mut self, offset: u64, seq: Seq) {
        if offset > self.at {
            self.at = offset;
            self.allowed.start = self.allowed.start.max(seq);
        }
    }

    /// Offset of what [`SegmentWalk::step`] looks at next.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// What is here.
    pub(super) fn step(&mut self) -> io::Result<WalkStep> {
        let left = self.length.saturating_sub(self.at);
        if left == 0 {
            return Ok(WalkStep::End { torn: 0 });
        }
        if left < RECORD_HEADER as u64 {
            return Ok(self.unfinished());
        }
        let here = self.bytes(self.at, RECORD_HEADER)?;
        match self.header_in(&here) {
            Some(header) if header.whole() <= left => Ok(WalkStep::Record(header)),
            Some(_) => Ok(self.unfinished()),
            None => self.resume(),
        }
    }

    /// The payload of the record that [`SegmentWalk::step`] found here; None if it is
    /// damaged. The walk is then behind the record.
    pub(super) fn payload(&mut self, header: &RecordHeader) -> io::Result<Option<Bytes>> {
        let payload = self.bytes(self.at + RECORD_HEADER as u64, header.length as usize)?;
        self.skip(header);
        Ok(header.fits(&payload).then_some(payload))
    }

    /// Steps over the record that [`SegmentWalk::step`] found here.
    pub(super) fn skip(&mut self, header: &RecordHeader) {
        self.at += header.whole();
        self.allowed.start = header.seq + 1;
    }

    fn header_in(&self, bytes: &[u8]) -> Option<RecordHeader> {
        RecordHeader::read(bytes, self.lane).filter(|header| self.allowed.contains(&header.seq))
    }

    /// Looks for the next intact header after this place, which is none.
    fn resume(&mut self) -> io::Result<WalkStep> {
        let from = self.at;
        let mut zeros = true;
        let mut look = from;
        while self.length - look >= RECORD_HEADER as u64 {
            let window = self.held(look, RECORD_HEADER)?;
            let mut position = 0;
            while let Some(found) = find(&window, position) {
                let header = window.get(found..).and_then(|bytes| self.header_in(bytes));
                if header.is_some() {
                    self.at = look + found as u64;
                    return Ok(WalkStep::Damage { at: from });
                }
                position = found + 1;
            }
            zeros = zeros && window.iter().all(|&byte| byte == 0);
            look += (window.len() + 1 - RECORD_HEADER) as u64;
        }
        let rest = self.bytes(look, (self.length - look) as usize)?;
        zeros = zeros && rest.iter().all(|&byte| byte == 0);
        Ok(match zeros || self.short {
            true => self.unfinished(),
            false => {
                self.at = self.length;
                WalkStep::Damage { at: from }
            }
        })
    }

    /// What begins here and has no end.
    fn unfinished(&mut self) -> WalkStep {
        let at = std::mem::replace(&mut self.at, self.length);
        match self.allowed.end {
            Seq::MAX => WalkStep::End {
                torn: self.length - at,
            },
            // Writing went on in the next segment, so this was finished.
            _ => WalkStep::Damage { at },
        }
    }

    /// What is held from `offset` on: at least `need` bytes, which the file has.
    fn held(&mut self, offset: u64, need: usize) -> io::Result<Bytes> {
        let start = offset
            .checked_sub(self.window_at)
            .and_then(|start| usize::try_from(start).ok())
            .filter(|start| self.window.len().saturating_sub(*start) >= need);
        let start = match start {
            Some(start) => start.min(self.window.len()),
            None => {
                self.fill(offset, need)?;
                0
            }
        };
        Ok(self.window.slice(start..))
    }

    /// Exactly `need` bytes from `offset` on.
    fn bytes(&mut self, offset: u64, need: usize) -> io::Result<Bytes> {
        let mut held = self.held(offset, need)?;
        held.truncate(need);
        Ok(held)
    }

    fn fill(&mut self, offset: u64, need: usize) -> io::Result<()> {
        let left = self.length.saturating_sub(offset);
        let want = left.min(need.max(self.ahead) as u64);
        let mut window = Vec::with_capacity(want as usize);
        self.file.seek(SeekFrom::Start(offset))?;
        (&self.file).take(want).read_to_end(&mut window)?;
        if window.len() < need {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.window = window.into();
        self.window_at = offset;
        Ok(())
    }
}

/// Where, from `position` on, the first bytes of a record stand.
fn find(window: &[u8], position: usize) -> Option<usize> {
    let mut position = position;
    loop {
        let rest = window.get(position..)?;
        position += rest.iter().position(|byte| *byte == RECORD_MAGIC[0])?;
        if window.get(position..)?.starts_with(&RECORD_MAGIC) {
            return Some(position);
        }
        position += 1;
    }
}

/// The error of a segment that another version wrote.
pub(super) fn other_version(version: u32) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("its format is version {version}, which this release cannot read"),
    )
}
