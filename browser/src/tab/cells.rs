//! Rows from the cells of the list: what is left where no answer can be read.
//!
//! The page draws only the cells in view and uses them again, so the list is walked down in steps smaller than the
//! view. Its next request, which is held, says where it goes on. Cells alone never say that a list has ended, nor who
//! somebody without an id is: both are kept as lines that could not be read, which no certificate calls Exact.

use std::time::Duration;

use followlytics_core::{
    retry::Class,
    row::{Line, Row},
};
use followlytics_platforms::rows::text;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Tab, Trouble, Visit, ask::GOES_ON};
use crate::{error::failure, graphql::Broken, held::Variables};

/// Part of the view that a step goes down.
const STEP: f64 = 0.7;
/// Between two steps: time for the page to draw.
const DRAW: Duration = Duration::from_millis(60);
/// Looks at the list's end without a new row, after which it is over.
const LOOKS: u32 = 12;
/// Ids remembered: more than a page holds and the view shows.
const REMEMBERED: usize = 2_000;

/// What the cells showed.
pub(super) struct Harvest {
    pub(super) lines: Vec<Line>,
    /// The cursor of the request that follows; `None` where the page asks for nothing more, and shows nothing wrong.
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Look {
    rows: Vec<Cell>,
    left: f64,
    waits: u32,
    column: u32,
}

#[derive(Debug, Deserialize, Serialize)]
struct Cell {
    id: Option<String>,
    handle: Option<String>,
    name: Option<String>,
    bio: Option<String>,
    verified: bool,
    locked: bool,
}

impl Cell {
    /// Its line, and what tells it from others. The session's own account has no button, and with it no id.
    fn read(self) -> (String, Line) {
        let id = self.id.as_deref().unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            let line = Line::Unread {
                unread: serde_json::to_string(&self).unwrap_or_default(),
                error: "its cell in the list shows no id".to_owned(),
            };
            return (format!("@{}", self.handle.unwrap_or_default()), line);
        }
        let row = Row {
            id: id.to_owned(),
            handle: self.handle.unwrap_or_default(),
            name: text(self.name),
            bio: text(self.bio),
            verified: Some(self.verified),
            protected: Some(self.locked),
            ..Row::default()
        };
        (row.id.clone(), Line::Row(row))
    }
}

/// What may follow the last cell.
fn unseen() -> Line {
    Line::Unread {
        unread: String::new(),
        error: "the list seemed to end here, and cells do not prove it".to_owned(),
    }
}

impl Tab {
    /// Walks the list down to its end, and takes the rows that were not there before.
    pub(super) async fn harvest(&mut self, visit: &Visit<'_>) -> Result<Harvest, Trouble> {
        let deadline = Instant::now() + visit.patience;
        let (mut lines, mut quiet) = (Vec::new(), None);
        loop {
            let look = self.step(visit).await?;
            let found = self.keep(look.rows, &mut lines);
            // Only from the end of the list on is nothing new a sign.
            let over = !found && look.left < 2.0 && look.waits == 0;
            let asked = self.has_list(visit).await?;
            if asked && !found && look.left < 2.0 {
                break;
            }
            if over {
                let (since, looks) = quiet.get_or_insert_with(|| (Instant::now(), 0));
                *looks += 1;
                // Time alone would also pass for a process that was frozen.
                if *looks >= LOOKS && since.elapsed() >= GOES_ON {
                    break;
                }
                self.scroll().await?;
            } else {
                quiet = None;
            }
            if Instant::now() >= deadline {
                return Err(failure(
                    Class::PageStuck,
                    "X's page neither shows more rows nor asks for them",
                )
                .into());
            }
            if let Some(event) = self.pause(DRAW).await? {
                self.turn_aside(&event, visit).await?;
            }
        }
        let Some(held) = &self.held else {
            // A list that has ended shows its last rows, and nothing that is wrong.
            let sight = self.see().await?;
            return match sight.obstacle() {
                Some(failure) => Err(failure.into()),
                None if lines.is_empty() => {
                    Err(failure(Class::PageStuck, "X's page shows no new rows and asks for none").into())
                }
                None => {
                    lines.push(unseen());
                    Ok(Harvest { lines, cursor: None })
                }
            };
        };
        let cursor = Variables::of(&held.url).and_then(|variables| variables.text("cursor"));
        if cursor.is_none() {
            return Err(failure(Class::PageStuck, "X's page begins its list again").into());
        }
        Ok(Harvest { lines, cursor })
    }

    async fn step(&mut self, visit: &Visit<'_>) -> Result<Look, Trouble> {
        let script = format!("{}({STEP})", include_str!("../js/cells.js").trim());
        let text = self.evaluate(script).await?;
        let look: Option<Look> = text.and_then(|text| serde_json::from_str(&text).ok());
        let broken = match look {
            Some(look) if look.column == 0 => {
                Broken::new("the page has an element with data-testid=\"primaryColumn\"")
            }
            Some(look) => {
                let has_handle = |cell: &Cell| cell.handle.as_ref().is_some_and(|handle| !handle.is_empty());
                if !look.rows.iter().all(has_handle) {
                    Broken::new("a UserCell has a link with the handle")
                } else if look.rows.len() > 1 && look.rows.iter().all(|cell| cell.id.is_none()) {
                    Broken::new("a UserCell has a button whose data-testid ends in -follow")
                } else {
                    return Ok(look);
                }
            }
            None => Broken::new("the cells of the list can be read"),
        };
        Err(self.changed(visit, &broken, None).await)
    }

    /// Adds the rows that are new; whether there were any.
    fn keep(&mut self, cells: Vec<Cell>, lines: &mut Vec<Line>) -> bool {
        let before = lines.len();
        for (key, line) in cells.into_iter().map(Cell::read) {
            if !self.harvested.contains(&key) {
                self.harvested.push(key);
                lines.push(line);
            }
        }
        let over = self.harvested.len().saturating_sub(REMEMBERED);
        self.harvested.drain(..over);
        lines.len() > before
    }
}
