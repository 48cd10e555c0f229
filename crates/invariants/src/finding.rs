//! What a predicate says.

/// Whether there was something to check, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Finding {
    /// How many things were checked; 0 when the predicate had nothing to say.
    pub exercised: u64,
    /// One line for each thing that does not hold.
    pub broken: Vec<String>,
}

impl Finding {
    /// There was nothing to check.
    pub fn idle() -> Self {
        Self::default()
    }

    /// One thing was checked; `broken` words it when it does not hold.
    pub fn check(holds: bool, broken: impl FnOnce() -> String) -> Self {
        Self { exercised: 1, broken: if holds { Vec::new() } else { vec![broken()] } }
    }

    /// Both findings.
    pub fn and(mut self, other: Self) -> Self {
        self.exercised = self.exercised.saturating_add(other.exercised);
        self.broken.extend(other.broken);
        self
    }

    /// Whether something was checked and holds.
    pub fn holds(&self) -> bool {
        self.exercised > 0 && self.broken.is_empty()
    }
}

impl FromIterator<Self> for Finding {
    fn from_iter<I: IntoIterator<Item = Self>>(findings: I) -> Self {
        findings.into_iter().fold(Self::idle(), Self::and)
    }
}
