//! Planted bugs: one for each invariant, to show that its predicate sees it.

use invariants::Invariant;

/// The bug of a world, if it has one: that which breaks this invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mutation(Option<Invariant>);

impl Mutation {
    /// A world as it is.
    pub const NONE: Self = Self(None);

    /// A world with the bug that breaks `invariant`.
    pub const fn of(invariant: Invariant) -> Self {
        Self(Some(invariant))
    }

    pub(crate) fn breaks(self, invariant: Invariant) -> bool {
        self.0 == Some(invariant)
    }

    pub(crate) fn is_none(self) -> bool {
        self.0.is_none()
    }
}
