/*! OTLP to a backend: over gRPC, and over HTTP. */

pub mod grpc;
pub mod http;
