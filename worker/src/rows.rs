//! Rows in columns, in order of their ids: how they are built, written, opened and merged.
//!
//! Knows Parquet and Arrow, and neither the ledger nor what a job is. Everything written here is *sealed*: its tail
//! (the Parquet footer) holds a hash of each row group, so whoever knows the hash of the tail can read any part of
//! the object and believe what it reads, without ever holding all of it.

mod columns;
mod io;
mod key;
mod kway;
mod open;
mod schema;
mod seal;
mod stream;

pub(crate) use columns::Columns;
pub(crate) use io::Io;
pub(crate) use key::Keys;
pub(crate) use kway::{Kway, Spread};
pub(crate) use open::{Opened, open};
pub(crate) use schema::{Shape, schema};
pub use seal::Tail;
pub(crate) use seal::{Form, Seal, Sealed};
pub(crate) use stream::{Between, Bounds, Stream};
