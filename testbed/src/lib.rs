//! Real servers for tests: PostgreSQL, an S3 server, etcd with kube-apiserver, Gitea, Bluesky's PDS and AppView.
//!
//! They start in seconds and end with the test process.
//!
//! Owns where their programs are looked for and how they are started and ended. Knows nothing of the product.

pub mod bluesky;
pub mod gitea;
mod http;
pub mod keeper;
pub mod kube;
mod port;
pub mod postgres;
pub mod s3;
pub mod tools;
