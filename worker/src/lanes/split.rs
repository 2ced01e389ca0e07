//! Where the lanes part: at ids that leave about equally many rows on both sides.

use followlytics_core::scan::merge::Id;

use super::Inputs;

/// Most lanes. At the beginning of each, half a row group of every run is decoded for nothing.
const MOST: u64 = 16;

/// The ids at which the lanes of a merge end, in order; none for a single lane. They follow from the runs' row groups
/// alone.
pub(crate) fn split(inputs: &Inputs) -> Vec<Id> {
    let rows = inputs.rows();
    let lanes = (rows / inputs.settings.lane_rows.max(1)).clamp(1, MOST);
    let mut ends: Vec<(Id, u64)> = inputs
        .runs
        .iter()
        .flat_map(|run| run.iter())
        .flat_map(|piece| &piece.groups)
        .map(|group| (Id::new(&group.last, inputs.ids), group.rows))
        .collect();
    ends.sort_unstable();
    let mut bounds: Vec<Id> = Vec::new();
    let mut before = 0;
    for (id, rows_of_group) in ends {
        before += rows_of_group;
        let wanted = rows * (bounds.len() as u64 + 1) / lanes;
        let room = (bounds.len() as u64) < lanes - 1;
        if room && before >= wanted && bounds.last().is_none_or(|last| *last < id) {
            bounds.push(id);
        }
    }
    bounds
}
