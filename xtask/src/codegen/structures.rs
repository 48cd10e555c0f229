//! Structures, unions and enumerated strings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use super::Files;
use super::model::{Kind, Model, Reach, Reference, Shape};
use super::names;
use super::rules::{Rules, checks};

/// Above this many structures, there is a file for each first letter.
const ONE_FILE: usize = 60;

const USES: &str = "#[allow(unused_imports, reason = \"which are needed depends on the model\")]
use super::{super::{enums::*, rules}, *};
use wire::export::{IgnoredAny, MapAccess, SerializeStruct};

";

/// Generates `enums.rs`, `structures.rs` and what is below it.
pub(crate) fn generate(model: &Model, reach: &Reach, rules: &mut Rules) -> Result<Files> {
    let mut by_file: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    let mut enums = String::new();
    let is_structure = |name: &&String| model.shapes.get(*name).is_some_and(Shape::is_structure);
    let split = reach.all.iter().filter(is_structure).count() > ONE_FILE;
    for name in &reach.all {
        let shape = model.shape(name)?;
        supported(name, shape)?;
        if shape.is_enum() {
            enums.push_str(&enumeration(name, shape)?);
        } else if shape.is_structure() {
            let letter = if split { name.chars().next() } else { Some('a') };
            let file = letter.context("a shape has no name")?.to_ascii_lowercase().to_string();
            by_file.entry(if split { file } else { "all".to_owned() }).or_default().push(name);
        }
    }
    let mut files = Files::new();
    let enums = match enums.as_str() {
        "" => String::new(),
        enums => format!("wire::string_enum! {{\n{enums}}}\n"),
    };
    files.insert(PathBuf::from("generated/enums.rs"), enums);
    let mut list = String::new();
    for (file, names) in by_file {
        writeln!(list, "mod {file};\npub use {file}::*;")?;
        let text = file_of(model, reach, rules, &names)?;
        files.insert(PathBuf::from(format!("generated/structures/{file}.rs")), text);
    }
    files.insert(PathBuf::from("generated/structures.rs"), list);
    Ok(files)
}

fn supported(name: &str, shape: &Shape) -> Result<()> {
    let what = match shape.kind {
        Kind::Float | Kind::Character => "a float or a character",
        Kind::Structure if shape.eventstream => "an event stream",
        Kind::List | Kind::Map if shape.flattened => "flattened",
        Kind::Structure if shape.references().any(|reference| reference.flattened) => {
            "flattened in part"
        }
        Kind::List
            if shape.references().any(|reference| {
                reference.location_name.as_deref().is_some_and(|name| name != "member")
            }) =>
        {
            "a list with its own element name"
        }
        Kind::Structure
        | Kind::List
        | Kind::Map
        | Kind::String
        | Kind::Integer
        | Kind::Long
        | Kind::Double
        | Kind::Boolean
        | Kind::Blob
        | Kind::Timestamp => return Ok(()),
    };
    bail!("the shape `{name}` is {what}, which the generator does not support yet")
}

fn enumeration(name: &str, shape: &Shape) -> Result<String> {
    let mut variants = BTreeMap::from([("Unrecognized".to_owned(), "the catch-all")]);
    let mut out = format!("{name} {{\n");
    for value in &shape.values {
        let variant = names::variant(value);
        if let Some(other) = variants.insert(variant.clone(), value) {
            bail!("`{value}` and {other} of `{name}` have the same name in Rust");
        }
        writeln!(out, "{variant} = {value:?},")?;
    }
    out.push_str("}\n");
    Ok(out)
}

fn file_of(model: &Model, reach: &Reach, rules: &mut Rules, names: &[&String]) -> Result<String> {
    let mut out = String::from(USES);
    let (mut structures, mut unions) = (Vec::new(), Vec::new());
    for name in names {
        let shape = model.shape(name)?;
        let is_input = reach.inputs.contains(*name);
        let members = members(model, name, shape)?;
        if shape.union {
            unions.push(name.as_str());
            out.push_str(&union(name, &members)?);
            if is_input {
                out.push_str(&validate_union(model, rules, name, &members)?);
            }
        } else {
            structures.push(name.as_str());
            out.push_str(&structure(name, shape, &members)?);
            if is_input {
                out.push_str(&validate_structure(model, rules, name, shape, &members)?);
            }
        }
    }
    for (macro_name, names) in [("structure_serde", structures), ("union_serde", unions)] {
        if !names.is_empty() {
            writeln!(out, "wire::{macro_name}!({});\n", names.join(", "))?;
        }
    }
    Ok(out)
}

/// A member of a structure, in both worlds.
struct Member<'model> {
    reference: &'model Reference,
    /// In messages: the member's name in the model.
    model_name: &'model str,
    /// In bodies.
    wire_name: &'model str,
    rust_name: String,
    rust_type: String,
    is_timestamp: bool,
    sensitive: bool,
}

fn members<'model>(
    model: &'model Model,
    name: &str,
    shape: &'model Shape,
) -> Result<Vec<Member<'model>>> {
    ensure!(shape.members.len() <= 128, "`{name}` has more than 128 members");
    let mut members = Vec::new();
    for (model_name, reference) in &shape.members {
        let target = model.shape(&reference.shape)?;
        let inner = target.member.as_ref().or(target.value.as_ref());
        let inner = inner.map(|inner| model.shape(&inner.shape)).transpose()?;
        members.push(Member {
            reference,
            model_name,
            wire_name: reference.location_name.as_deref().unwrap_or(model_name),
            rust_name: names::member(model_name),
            rust_type: rust_type(model, &reference.shape)?,
            is_timestamp: target.kind == Kind::Timestamp,
            sensitive: reference.sensitive
                || target.sensitive
                || inner.is_some_and(|inner| inner.sensitive),
        });
    }
    Ok(members)
}

fn rust_type(model: &Model, name: &str) -> Result<String> {
    let shape = model.shape(name)?;
    let inner = |reference: &Option<Reference>| -> Result<String> {
        let inner = &reference.as_ref().with_context(|| format!("`{name}` is broken"))?.shape;
        ensure!(model.shape(inner)?.kind != Kind::Timestamp, "`{name}` holds timestamps");
        rust_type(model, inner)
    };
    Ok(match shape.kind {
        Kind::Structure if shape.document => "wire::Document".to_owned(),
        Kind::Structure => {
            ensure!(name.starts_with(char::is_uppercase), "the structure `{name}` needs a name");
            name.to_owned()
        }
        Kind::String if shape.is_enum() => name.to_owned(),
        Kind::String => "String".to_owned(),
        Kind::Integer => "i32".to_owned(),
        Kind::Long => "i64".to_owned(),
        Kind::Double => "f64".to_owned(),
        Kind::Boolean => "bool".to_owned(),
        Kind::Blob => "wire::Blob".to_owned(),
        Kind::Timestamp => "base::Timestamp".to_owned(),
        Kind::List => format!("Vec<{}>", inner(&shape.member)?),
        Kind::Map => {
            // Enumerated keys are plain strings here: an unknown one is no error in a map.
            let key = &shape.key.as_ref().with_context(|| format!("`{name}` is broken"))?.shape;
            let kind = model.shape(key)?.kind;
            ensure!(kind == Kind::String, "the map `{name}` has keys that are not strings");
            format!("std::collections::BTreeMap<String, {}>", inner(&shape.value)?)
        }
        Kind::Float | Kind::Character => bail!("`{name}` is not supported"),
    })
}

fn structure(name: &str, shape: &Shape, members: &[Member<'_>]) -> Result<String> {
    let redacts = shape.sensitive || members.iter().any(|member| member.sensitive);
    let debug = if redacts { "" } else { "Debug, " };
    let mut out = format!("#[derive({debug}Clone, Default, PartialEq)]\npub struct {name} {{\n");
    for member in members {
        writeln!(out, "pub {}: Option<{}>,", member.rust_name, member.rust_type)?;
    }
    out.push_str("}\n\n");
    if redacts {
        out.push_str(&redacting_debug(name, shape, members)?);
    }
    let wire_names: Vec<String> =
        members.iter().map(|member| format!("{:?}", member.wire_name)).collect();
    writeln!(
        out,
        "impl wire::Structure for {name} {{
        const NAME: &'static str = {name:?};
        const MEMBERS: &'static [&'static str] = &[{}];
        fn read<'de, A: MapAccess<'de>>(&mut self, {parameter}: usize, map: &mut A) -> Result<(), \
         A::Error> {{",
        wire_names.join(", "),
        parameter = if members.is_empty() { "_member" } else { "member" },
    )?;
    if !members.is_empty() {
        out.push_str("match member {\n");
    }
    for (index, member) in members.iter().enumerate() {
        let read =
            if member.is_timestamp { "wire::read_timestamp(map)" } else { "map.next_value()" };
        writeln!(out, "{index} => self.{} = {read}?,", member.rust_name)?;
    }
    out.push_str(match members {
        [] => "map.next_value::<IgnoredAny>()?; Ok(()) }\n",
        _ => "_ => { map.next_value::<IgnoredAny>()?; } } Ok(()) }\n",
    });
    let parameter = if members.is_empty() { "_out" } else { "out" };
    writeln!(
        out,
        "fn write<S: SerializeStruct>(&self, {parameter}: &mut S) -> Result<(), S::Error> {{"
    )?;
    for member in members {
        let Member { wire_name, rust_name, .. } = member;
        if member.is_timestamp {
            writeln!(out, "wire::put_timestamp(out, {wire_name:?}, self.{rust_name})?;")?;
        } else if member.sensitive || shape.sensitive {
            writeln!(out, "wire::put_sensitive(out, {wire_name:?}, &self.{rust_name})?;")?;
        } else {
            writeln!(out, "wire::put(out, {wire_name:?}, &self.{rust_name})?;")?;
        }
    }
    out.push_str("Ok(()) } }\n\n");
    Ok(out)
}

fn redacting_debug(name: &str, shape: &Shape, members: &[Member<'_>]) -> Result<String> {
    let mut out = format!(
        "impl std::fmt::Debug for {name} {{ fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> \
         std::fmt::Result {{ f.debug_struct({name:?})"
    );
    for Member { rust_name, sensitive, .. } in members {
        let shown = rust_name.trim_start_matches("r#");
        if *sensitive || shape.sensitive {
            let value = format!("self.{rust_name}.as_ref().map(|_| wire::Redacted)");
            write!(out, ".field({shown:?}, &{value})")?;
        } else {
            write!(out, ".field({shown:?}, &self.{rust_name})")?;
        }
    }
    out.push_str(".finish() } }\n\n");
    Ok(out)
}

fn validate_structure(
    model: &Model,
    rules: &mut Rules,
    name: &str,
    shape: &Shape,
    members: &[Member<'_>],
) -> Result<String> {
    let mut body = String::new();
    for member in members {
        let Member { model_name, rust_name, .. } = member;
        let value = format!("self.{rust_name}.as_ref()");
        if shape.required.iter().any(|required| required == model_name) {
            writeln!(body, "violations.required({model_name:?}, {value});")?;
        }
        body.push_str(&checks(model, rules, model_name, member.reference, &value)?);
    }
    Ok(validate(name, &body))
}

fn validate(name: &str, body: &str) -> String {
    let parameter = if body.is_empty() { "_violations" } else { "violations" };
    format!(
        "impl wire::Validate for {name} {{ fn validate(&self, {parameter}: &mut wire::Violations) \
         {{\n{body}}} }}\n\n"
    )
}

fn union(name: &str, members: &[Member<'_>]) -> Result<String> {
    let mut out = format!("#[derive(Debug, Clone, PartialEq)]\npub enum {name} {{\n");
    let (mut names, mut reads, mut writes) = (String::new(), String::new(), String::new());
    for (index, member) in members.iter().enumerate() {
        let Member { model_name, wire_name, rust_type, .. } = member;
        ensure!(
            !member.is_timestamp && !member.sensitive,
            "the union `{name}` has a timestamp or a sensitive member: not supported yet"
        );
        let variant = names::variant(model_name);
        writeln!(out, "{variant}({rust_type}),")?;
        write!(names, "{wire_name:?}, ")?;
        writeln!(reads, "{index} => map.next_value::<Option<_>>()?.map(Self::{variant}),")?;
        writeln!(writes, "Self::{variant}(value) => out.serialize_field({wire_name:?}, value),")?;
    }
    writeln!(
        out,
        "}}

        impl wire::Union for {name} {{
        const NAME: &'static str = {name:?};
        const MEMBERS: &'static [&'static str] = &[{names}];
        fn read<'de, A: MapAccess<'de>>(member: usize, map: &mut A) -> Result<Option<Self>, \
         A::Error> {{ Ok(match member {{ {reads} _ => {{ map.next_value::<IgnoredAny>()?; None }} \
         }}) }}
        fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error> {{ match self {{ \
         {writes} }} }}
        }}
        "
    )?;
    Ok(out)
}

fn validate_union(
    model: &Model,
    rules: &mut Rules,
    name: &str,
    members: &[Member<'_>],
) -> Result<String> {
    let mut arms = String::new();
    for Member { model_name, reference, .. } in members {
        let variant = names::variant(model_name);
        let checks = checks(model, rules, model_name, reference, "Some(value)")?;
        let value = if checks.is_empty() { "_" } else { "value" };
        writeln!(arms, "Self::{variant}({value}) => {{ {checks} }}")?;
    }
    Ok(validate(name, &format!("match self {{ {arms} }}\n")))
}
