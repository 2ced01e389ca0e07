//! Mastodon's account object.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use serde::Deserialize;

use crate::rows::{instant, text};

#[derive(Debug, Deserialize)]
pub(super) struct Account {
    id: String,
    /// `user` for the server's own, `user@host` for others.
    acct: Option<String>,
    display_name: Option<String>,
    note: Option<String>,
    locked: Option<bool>,
    suspended: Option<bool>,
    created_at: Option<String>,
    followers_count: Option<i64>,
    following_count: Option<i64>,
    statuses_count: Option<i64>,
}

impl Account {
    /// Only its bare bones are left, and its list is empty.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspended == Some(true)
    }

    pub(super) fn row(self) -> Result<Row, &'static str> {
        self.check_id()?;
        Ok(Row {
            id: self.id,
            handle: self.acct.unwrap_or_default(),
            name: text(self.display_name),
            bio: text(self.note.map(|note| plain(&note))),
            location: None,
            followers: self.followers_count,
            following: self.following_count,
            posts: self.statuses_count,
            verified: None,
            protected: self.locked,
            created: instant(self.created_at),
        })
    }

    pub(super) fn report(self) -> Result<AccountReport, &'static str> {
        self.check_id()?;
        Ok(AccountReport {
            id: self.id,
            handle: self.acct.ok_or("the account has no acct")?,
            // Some servers say -1 of what they do not show.
            followers: self
                .followers_count
                .ok_or("the account has no followers_count")?
                .max(0),
            created: instant(self.created_at),
        })
    }

    fn check_id(&self) -> Result<(), &'static str> {
        if (1..=128).contains(&self.id.len()) && self.id.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(())
        } else {
            Err("id is not 1 to 128 characters")
        }
    }
}

/// The text of a bio: it comes as HTML of a few harmless tags.
fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag_on)) = rest.split_once('<') {
        out.push_str(before);
        let Some((tag, after)) = tag_on.split_once('>') else {
            rest = "";
            break;
        };
        if tag.starts_with("br") || tag.starts_with("/p") {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    // The ampersand last, or `&amp;lt;` would become a tag's beginning.
    let unescaped = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(out, |text, (entity, character)| text.replace(entity, character));
    unescaped.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bio_is_text() {
        let html = r#"<p>Hi &amp; <a href="https://h">h</a><br />&lt;3</p><p>x &amp;lt; y</p>"#;
        assert_eq!(plain(html), "Hi & h\n<3\nx &lt; y");
        assert_eq!(
            (plain(""), plain("<p>"), plain("a <b")),
            (String::new(), String::new(), "a".to_owned())
        );
    }

    proptest! {
        #[test]
        fn any_bio_is_read(html in ".{0,200}") {
            let _ = plain(&html);
        }
    }
}
