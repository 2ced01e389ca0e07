//! Real servers for tests: PostgreSQL, an S3 server, etcd with kube-apiserver; started in seconds, gone with the test.
//!
//! Owns where their programs are looked for and how they are started and ended. Knows nothing of the product.

pub mod keeper;
pub mod kube;
mod port;
pub mod postgres;
pub mod s3;
pub mod tools;
