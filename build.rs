//! Makes the gRPC clients and services of `proto/` without `protoc`: a build needs nothing but Rust and a C compiler.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    for (file, is_served) in [("proto/etcd.proto", false), ("proto/peers.proto", true)] {
        let read = protox::compile([file], ["proto"])?;
        tonic_prost_build::configure().build_server(is_served).bytes(".").compile_fds(read)?;
    }
    Ok(())
}
