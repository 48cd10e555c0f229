//! Constraints of strings, lists, maps and numbers, and the calls that check them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use super::model::{Kind, Model, Reference, Shape};
use super::names;

/// The string rules that structures refer to, by name.
#[derive(Debug, Default)]
pub(crate) struct Rules(BTreeMap<String, Rule>);

#[derive(Debug)]
struct Rule {
    length: String,
    pattern: Option<String>,
    sensitive: bool,
}

impl Rules {
    /// The name of the rule for strings of this shape; `None` when everything is allowed.
    fn name(&mut self, model: &Model, reference: &Reference) -> Result<Option<String>> {
        let shape = model.shape(&reference.shape)?;
        if shape.kind != Kind::String || shape.is_enum() {
            return Ok(None);
        }
        let length = length(shape)?;
        if length.is_none() && shape.pattern.is_none() {
            return Ok(None);
        }
        let sensitive = shape.sensitive || reference.sensitive;
        let mut name = names::constant(&reference.shape);
        if sensitive && !shape.sensitive {
            name.push_str("_SENSITIVE");
        }
        let rule = Rule {
            length: length.unwrap_or_else(|| "wire::Length::ANY".to_owned()),
            pattern: shape.pattern.clone(),
            sensitive,
        };
        self.0.insert(name.clone(), rule);
        Ok(Some(name))
    }

    /// The file with all rules.
    pub(crate) fn source(&self) -> Result<String> {
        let mut out = String::new();
        for (name, rule) in &self.0 {
            let Rule { length, pattern, sensitive } = rule;
            let pattern = match pattern {
                None => "None".to_owned(),
                Some(pattern) => {
                    let expression = expression(pattern)?;
                    regex::Regex::new(&expression)
                        .with_context(|| format!("the pattern of {name} cannot be used"))?;
                    writeln!(
                        out,
                        "static PATTERN_OF_{name}: wire::Pattern = wire::Pattern::new({pattern:?}, \
                         {expression:?});"
                    )?;
                    format!("Some(&PATTERN_OF_{name})")
                }
            };
            writeln!(
                out,
                "pub(crate) static {name}: wire::StringRule = wire::StringRule {{ length: \
                 {length}, pattern: {pattern}, sensitive: {sensitive} }};"
            )?;
        }
        Ok(out)
    }
}

/// The statements that check one member of a structure; `value` is an expression of type
/// `Option<&_>`.
pub(crate) fn checks(
    model: &Model,
    rules: &mut Rules,
    name: &str,
    reference: &Reference,
    value: &str,
) -> Result<String> {
    let shape = model.shape(&reference.shape)?;
    let mut out = String::new();
    match shape.kind {
        Kind::Structure if shape.document => {}
        Kind::Structure => writeln!(out, "violations.structure({name:?}, {value});")?,
        Kind::String if shape.is_enum() => writeln!(out, "violations.choice({name:?}, {value});")?,
        Kind::String => {
            if let Some(rule) = rules.name(model, reference)? {
                writeln!(out, "violations.string({name:?}, {value}, &rules::{rule});")?;
            }
        }
        Kind::Integer | Kind::Long => {
            if let Some(range) = range(shape)? {
                writeln!(out, "violations.number({name:?}, {value}, {range});")?;
            }
        }
        Kind::List => {
            if let Some(length) = length(shape)? {
                writeln!(out, "violations.list_length({name:?}, {value}, {length});")?;
            }
            let member = shape.member.as_ref().context("a list has no member")?;
            out.push_str(&list_checks(model, rules, name, member, value)?);
        }
        Kind::Map => {
            if let Some(length) = length(shape)? {
                writeln!(out, "violations.map_length({name:?}, {value}, {length});")?;
            }
            out.push_str(&map_checks(model, rules, name, shape, value)?);
        }
        Kind::Float | Kind::Double => {
            ensure!(shape.min.or(shape.max).is_none(), "`{name}` bounds a fraction: not supported");
        }
        Kind::Boolean | Kind::Timestamp | Kind::Blob | Kind::Character => {}
    }
    Ok(out)
}

fn list_checks(
    model: &Model,
    rules: &mut Rules,
    name: &str,
    member: &Reference,
    value: &str,
) -> Result<String> {
    let shape = model.shape(&member.shape)?;
    if shape.is_structure() {
        return Ok(format!("violations.structures({name:?}, {value});\n"));
    }
    if shape.is_enum() {
        return Ok(format!("violations.choices({name:?}, {value});\n"));
    }
    if let Some(rule) = rules.name(model, member)? {
        return Ok(format!("violations.strings({name:?}, {value}, &rules::{rule});\n"));
    }
    unconstrained(model, name, member)
}

fn map_checks(
    model: &Model,
    rules: &mut Rules,
    name: &str,
    map: &Shape,
    value: &str,
) -> Result<String> {
    let keys = map.key.as_ref().context("a map has no key")?;
    let values = map.value.as_ref().context("a map has no value")?;
    let key_rule = rules.name(model, keys)?;
    let value_rule = rules.name(model, values)?;
    if key_rule.is_none() && value_rule.is_none() {
        return unconstrained(model, name, values);
    }
    ensure!(
        model.shape(&values.shape)?.kind == Kind::String,
        "`{name}` is a map of something other than strings with constraints: not supported"
    );
    let rule = |rule: Option<String>| match rule {
        Some(rule) => format!("&rules::{rule}"),
        None => "&wire::StringRule::ANY".to_owned(),
    };
    Ok(format!("violations.map({name:?}, {value}, {}, {});\n", rule(key_rule), rule(value_rule)))
}

/// Nothing to check, as long as the members really have no constraints.
fn unconstrained(model: &Model, name: &str, member: &Reference) -> Result<String> {
    let shape = model.shape(&member.shape)?;
    let simple = !matches!(shape.kind, Kind::Structure | Kind::List | Kind::Map);
    let bounded = shape.min.or(shape.max).is_some() || shape.pattern.is_some() || shape.is_enum();
    ensure!(simple && !bounded, "`{name}` nests constraints in a way that is not supported yet");
    Ok(String::new())
}

fn length(shape: &Shape) -> Result<Option<String>> {
    let bound = |bound: f64| whole(bound).and_then(|bound| Ok(usize::try_from(bound)?));
    let min = shape.min.map(bound).transpose()?.unwrap_or(0);
    let max = match shape.max.map(bound).transpose()? {
        None if min == 0 => return Ok(None),
        None => "usize::MAX".to_owned(),
        Some(max) => max.to_string(),
    };
    Ok(Some(format!("wire::Length {{ min: {min}, max: {max} }}")))
}

fn range(shape: &Shape) -> Result<Option<String>> {
    if shape.min.or(shape.max).is_none() {
        return Ok(None);
    }
    let bound = |bound: Option<f64>, open: &str| {
        bound.map_or(Ok(open.to_owned()), |bound| whole(bound).map(|bound| bound.to_string()))
    };
    let min = bound(shape.min, "i64::MIN")?;
    let max = bound(shape.max, "i64::MAX")?;
    Ok(Some(format!("wire::Range {{ min: {min}, max: {max} }}")))
}

fn whole(bound: f64) -> Result<i64> {
    ensure!(bound.fract() == 0.0 && bound.abs() < 1e15, "the bound {bound} is not a whole number");
    Ok(format!("{bound:.0}").parse()?)
}

/// The models' patterns are Java's: `\w`, `\d` and `\s` mean ASCII, a bracket inside a class means
/// itself, and the whole string must match.
fn expression(pattern: &str) -> Result<String> {
    let mut out = String::from(r"\A(?:");
    let mut characters = pattern.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.push_str(&escape(&mut characters, in_class)?),
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                out.push('[');
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    out.push_str(r")\z");
    Ok(out)
}

fn escape(characters: &mut std::str::Chars<'_>, in_class: bool) -> Result<String> {
    let letter = characters.next().context("a pattern ends in a backslash")?;
    let class = match letter {
        'w' => "0-9A-Za-z_",
        'd' => "0-9",
        's' => r" \t\n\x0B\f\r",
        'S' if !in_class => return Ok(r"[^ \t\n\x0B\f\r]".to_owned()),
        'S' => r"\x00-\x08\x0E-\x1F\x21-\x{10FFFF}",
        'u' => {
            let digits: String = characters.by_ref().take(4).collect();
            return Ok(format!(r"\x{{{digits}}}"));
        }
        'p' | 't' | 'n' | 'r' => return Ok(format!(r"\{letter}")),
        other if other.is_ascii_alphanumeric() => bail!("`\\{other}` in a pattern: not supported"),
        other => return Ok(format!(r"\{other}")),
    };
    Ok(if in_class { class.to_owned() } else { format!("[{class}]") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let regex = regex::Regex::new(&expression(pattern).unwrap()).unwrap();
        for text in matching {
            assert!(regex.is_match(text), "{pattern} must match {text:?}");
        }
        for text in other {
            assert!(!regex.is_match(text), "{pattern} must not match {text:?}");
        }
    }

    #[test]
    fn patterns_mean_what_java_means() {
        check(r"[\w+=/:,.@-]*", &["", "arn:aws:logs"], &["ä", "a b"]);
        check(r"^\d{12}$", &["123456789012"], &["12345678901", "123456789012\n", "١٢٣٤٥٦٧٨٩٠١٢"]);
        check(r"[^:*]*", &["a b", "ä[", "\n"], &["a:b"]);
        check(r"a|b", &["a", "b"], &["ab"]);
        check(r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", &["grün 1"], &["a!"]);
        check(r"\S{2}", &["ab"], &["a ", "a"]);
        check(r"[[&&b]", &["[", "&", "b"], &["a"]);
    }
}
