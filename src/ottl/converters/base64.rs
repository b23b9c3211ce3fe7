/*!
Encodings of text by name: the four of base64, and what comes as text anyway.

Go's decoders of base64 skip line breaks and do not mind bits that are left over.
*/

use crate::ottl::EvalError;
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const PADDED: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
const RAW: GeneralPurposeConfig = PADDED
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);

static BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, PADDED);
static BASE64_RAW: GeneralPurpose = GeneralPurpose::new(&STANDARD, RAW);
static BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, PADDED);
static BASE64_RAW_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, RAW);

/// What `Decode` can read.
#[derive(Clone, Copy)]
pub(in crate::ottl) enum Decoder {
    Base64(&'static GeneralPurpose),
    Utf8,
    Utf16,
}

impl Decoder {
    /// The names, for messages.
    pub(in crate::ottl) const NAMES: &'static str =
        "base64, base64-raw, base64-url, base64-raw-url, utf-8, ascii, utf-16";

    /// The encoding of this name.
    pub(in crate::ottl) fn named(name: &str) -> Option<Self> {
        if let Some(engine) = engine(name) {
            return Some(Self::Base64(engine));
        }
        match name.to_ascii_lowercase().as_str() {
            "" | "utf-8" | "utf8" | "utf-8-raw" | "utf8-raw" | "ascii" | "us-ascii" | "nop" => {
                Some(Self::Utf8)
            }
            "utf-16" | "utf16" => Some(Self::Utf16),
            _ => None,
        }
    }

    /// The text that these bytes are; what is no text becomes U+FFFD.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<String, EvalError> {
        match self {
            Self::Base64(engine) => {
                let is_text = |byte: &u8| !matches!(byte, b'\r' | b'\n');
                let bytes: Vec<u8> = bytes.iter().copied().filter(is_text).collect();
                let decoded = engine.decode(bytes);
                let decoded = decoded.map_err(|_| EvalError::new("the string is not base64"))?;
                Ok(String::from_utf8_lossy(&decoded).into_owned())
            }
            Self::Utf8 => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Self::Utf16 => {
                let (pairs, rest) = bytes.as_chunks::<2>();
                let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
                let mut text = String::from_utf16_lossy(&units);
                if !rest.is_empty() {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
                Ok(text)
            }
        }
    }
}

/// The variant of base64 of this name.
pub(super) fn engine(name: &str) -> Option<&'static GeneralPurpose> {
    Some(match name {
        "base64" => &BASE64,
        "base64-raw" => &BASE64_RAW,
        "base64-url" => &BASE64_URL,
        "base64-raw-url" => &BASE64_RAW_URL,
        _ => return None,
    })
}
