/*! stub */
/// Why OTLP/JSON was refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(pub String);
/// OTLP/JSON to protobuf bytes of `ExportTraceServiceRequest`.
///
/// # Errors
/// Invalid JSON or a value that does not fit the field.
pub fn request_from_json(_json: &[u8]) -> Result<Vec<u8>, JsonError> {
    todo!()
}
/// Protobuf bytes of an `ExportTraceServiceRequest` (valid) to OTLP/JSON.
///
/// # Errors
/// When the bytes are not valid protobuf.
pub fn request_to_json(_bytes: &[u8]) -> Result<Vec<u8>, JsonError> {
    todo!()
}
