//! What is durable: the ledger (SQLite now, PostgreSQL next) and the objects (files now, S3 next).
//!
//! Owns every table and every object key's life. Decides nothing: each transaction reads rows, asks `core`,
//! and writes what it said.

pub mod db;
pub mod ledger;
mod migrations;
pub mod objects;
pub mod resources;
