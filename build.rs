//! Compiles `proto/` for the peer tests. Without the `peers` feature there is
//! nothing to do: the library and the binary use no generated code of ours.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "peers")]
    {
        println!("cargo:rerun-if-changed=proto");
        // protox is a compiler in Rust, so no protoc need be installed.
        let query = protox::compile(["proto/jaeger/api_v2/query.proto"], ["proto"])?;
        tonic_prost_build::configure()
            .build_server(false)
            .compile_fds(query)?;
    }
    Ok(())
}
