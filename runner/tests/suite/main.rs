//! The runner between a broker and a platform that answer from a script, under paused time.

#[cfg(test)]
mod leases;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod script;
#[cfg(test)]
mod steps;
