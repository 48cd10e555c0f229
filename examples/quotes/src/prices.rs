//! The price table.

/// Which edition of the prices is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revision(pub(crate) u32);

/// A price at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) symbol: &'static str,
    pub(crate) price_cents: u64,
    pub(crate) currency: &'static str,
    pub(crate) revision: Revision,
}

const TABLE: [(&str, u64, &str); 6] = [
    ("ALPINE", 12_950, "EUR"),
    ("FROST", 4_210, "USD"),
    ("GLACIER", 88_875, "USD"),
    ("SLEDGE", 1_999, "GBP"),
    ("SNOW", 10_000, "USD"),
    ("TUNDRA", 30_540, "EUR"),
];

pub(crate) fn symbols() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(symbol, _, _)| *symbol)
}

/// Each revision adds one percent of the first price, so that a reader can tell the revision from the price.
pub(crate) fn quote(symbol: &str, revision: Revision) -> Option<Quote> {
    let (symbol, first, currency) = TABLE.iter().find(|(name, _, _)| *name == symbol)?;
    let price_cents = first.saturating_add(first.saturating_mul(u64::from(revision.0)) / 100);
    Some(Quote { symbol, price_cents, currency, revision })
}

impl Quote {
    /// The answer's body.
    pub(crate) fn to_json(self) -> String {
        let Self { symbol, price_cents, currency, revision } = self;
        let price = format!("{}.{:02}", price_cents / 100, price_cents % 100);
        serde_json::json!({"symbol": symbol, "price": price, "currency": currency, "revision": revision.0}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(symbol: &str, revision: u32, json: Option<&str>) {
        assert_eq!(quote(symbol, Revision(revision)).map(Quote::to_json).as_deref(), json);
    }

    #[test]
    fn prices_follow_from_symbol_and_revision() {
        check(
            "SNOW",
            0,
            Some(r#"{"currency":"USD","price":"100.00","revision":0,"symbol":"SNOW"}"#),
        );
        check(
            "SNOW",
            7,
            Some(r#"{"currency":"USD","price":"107.00","revision":7,"symbol":"SNOW"}"#),
        );
        check("snow", 0, None);
        check("", 0, None);
    }
}
