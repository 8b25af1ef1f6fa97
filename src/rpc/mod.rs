//! The wire: gRPC over a Unix socket. The only room that knows tonic and the generated types, which never leave it.
//!
//! `proto/apex/v1/*.proto` is the contract; a client in another language is written from it alone. Here stand the
//! conversions between it and the domain (`convert`), errors on the wire (`status`), who may connect to whom
//! (`socket`), how what is written is sent (`cork`), and the two ends: [`client`], which knows the domain alone, and the [`server`], which asks the engine.
//!
//! When you add a field: in the `.proto` with a new number, in `convert/`, and in `proto/apex/v1/fields.txt`, which
//! keeps fields from being removed or renumbered.

pub mod client;
mod convert;
mod cork;
pub mod server;
mod socket;
mod status;

#[cfg(test)]
mod fields;

/// What tonic-prost-build made of `proto/`.
#[allow(clippy::all, reason = "generated: what is in it depends on the generator")]
mod proto {
    tonic::include_proto!("apex.v1");
}
