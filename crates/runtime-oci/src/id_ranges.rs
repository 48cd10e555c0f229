//! Which task has which range of user ids.

use std::collections::BTreeMap;

use shim_proto::ID_RANGE;

/// The ranges given out. A range is given to one task at a time: two tasks with the same ids
/// could signal each other's processes and read each other's files.
#[derive(Debug)]
pub(crate) struct IdRanges {
    first: u32,
    ranges: u32,
    taken: BTreeMap<u32, String>,
}

impl IdRanges {
    pub(crate) fn new(first: u32, ranges: u32) -> Self {
        Self { first, ranges, taken: BTreeMap::new() }
    }

    /// Notes that `task_id` has the range that begins at `base`.
    pub(crate) fn keep(&mut self, task_id: &str, base: u32) {
        self.taken.insert(base, task_id.to_owned());
    }

    /// The lowest free range; `None` when all are taken.
    pub(crate) fn take(&mut self, task_id: &str) -> Option<u32> {
        let base = (0..self.ranges)
            .filter_map(|range| self.first.checked_add(range.checked_mul(ID_RANGE)?))
            .find(|base| !self.taken.contains_key(base))?;
        self.keep(task_id, base);
        Some(base)
    }

    pub(crate) fn give_back(&mut self, task_id: &str) {
        self.taken.retain(|_, owner| owner != task_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tasks_share_a_range() {
        let mut ranges = IdRanges::new(65_536, 3);
        ranges.keep("old", 131_072);
        assert_eq!(ranges.take("a"), Some(65_536));
        assert_eq!(ranges.take("b"), Some(196_608));
        assert_eq!(ranges.take("c"), None);
        ranges.give_back("old");
        assert_eq!(ranges.take("c"), Some(131_072));
    }
}
