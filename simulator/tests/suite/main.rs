//! The simulator seen from its wire: every platform, every fault, the logs and the truth.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod bluesky;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gitea;
#[cfg(test)]
mod github;
#[cfg(test)]
mod mastodon;
#[cfg(test)]
mod more_faults;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod rolls;
#[cfg(test)]
mod truth;
#[cfg(test)]
mod web_documents;
#[cfg(test)]
mod web_faults;
#[cfg(test)]
mod web_lists;
#[cfg(test)]
mod web_sessions;
#[cfg(test)]
mod web_visit;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod x_money;
#[cfg(test)]
mod x_pages;
#[cfg(test)]
mod x_sign_in;
#[cfg(test)]
mod x_tokens;
#[cfg(test)]
mod x_windows;
