//! Protobuf fields, read and written without a schema.

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub number: u32,
    pub value: Value<'a>,
    /// With its tag.
    pub raw: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    Varint(u64),
    /// Of four or eight bytes.
    Fixed(&'a [u8]),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
}

/// The fields of a message, in the order of the wire. Panics where the message
/// is malformed.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at_checked(count).expect("a whole field");
        self.0 = rest;
        bytes
    }

    fn varint(&mut self) -> u64 {
        let mut value = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return value;
            }
        }
        panic!("a varint without an end");
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let whole = self.0;
        let tag = self.varint();
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()),
            1 => Value::Fixed(self.bytes(8)),
            2 => {
                let length = self.varint() as usize;
                Value::Bytes(self.bytes(length))
            }
            5 => Value::Fixed(self.bytes(4)),
            kind => panic!("wire type {kind}"),
        };
        Some(Field {
            number: (tag >> 3) as u32,
            value,
            raw: &whole[..whole.len() - self.0.len()],
        })
    }
}

/// The payloads of the length-delimited fields with this number.
pub fn inside(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message)
        .filter(move |field| field.number == number)
        .filter_map(|field| match field.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
pub fn put_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 2, out);
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a field with the message that `fill` writes.
pub fn put_message(number: u32, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut message = Vec::new();
    fill(&mut message);
    put_bytes(number, &message, out);
}

/// Appends a number.
pub fn put_number(number: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3, out);
    put_varint(value, out);
}

/// Appends eight bytes.
pub fn put_fixed64(number: u32, value: u64, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}
