/*! stub prologue; the config owner writes it. load → expand → merge → check. */
mod checked;
pub use checked::*;
