//! What is durable: the ledger (SQLite or PostgreSQL) and the objects (files or S3).
//!
//! Owns every table and every object key's life. Decides nothing: each transaction reads rows, asks `core`,
//! and writes what it said.

pub mod db;
pub mod health;
pub mod ledger;
mod migrations;
pub mod objects;
pub mod resources;
#[cfg(test)]
mod testing;
