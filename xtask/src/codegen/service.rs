//! The service's own tables: operations, errors, names.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use super::model::{Model, Operation};
use super::names;
use super::scope::Service;

/// The module that holds the others.
pub(crate) fn root() -> String {
    "mod api;
    mod enums;
    pub mod errors;
    pub mod ops;
    mod rules;
    mod structures;

    pub use api::API;

    /// Structures and enumerated strings of the model.
    pub mod types {
        #[allow(unused_imports, reason = \"a model may have no enumerated strings\")]
        pub use super::enums::*;
        pub use super::structures::*;
    }
    "
    .to_owned()
}

fn sorted<'scope>(
    service: &Service,
    model: &'scope Model,
) -> Result<Vec<(&'scope String, &'scope Operation)>> {
    let names: BTreeSet<&String> = service.operations.iter().collect();
    ensure!(names.len() == service.operations.len(), "the scope names an operation twice");
    for name in names {
        model.operation(name)?;
    }
    Ok(model.operations.iter().filter(|(name, _)| service.operations.contains(name)).collect())
}

/// The errors of the operations in scope.
pub(crate) fn errors(service: &Service, model: &Model) -> Result<String> {
    let mut shapes = BTreeSet::new();
    for (_, operation) in sorted(service, model)? {
        shapes.extend(operation.errors.iter().map(|error| &error.shape));
    }
    let mut out = String::new();
    if !shapes.is_empty() {
        out.push_str("use wire::{ApiError, ErrorShape, Fault};\n\n");
    }
    for name in shapes {
        let shape = model.shape(name)?;
        let stated = shape.error.as_ref();
        let code = stated.and_then(|stated| stated.code.as_ref()).unwrap_or(name);
        let default_status = if shape.fault { 500 } else { 400 };
        let status = stated.map_or(default_status, |stated| stated.http_status_code);
        let fault = if status >= 500 { "Receiver" } else { "Sender" };
        let constant = names::constant(name);
        writeln!(
            out,
            "pub static {constant}: ErrorShape = ErrorShape {{ code: {code:?}, status: {status}, \
             fault: Fault::{fault} }};\n
            pub fn {}(message: impl Into<String>) -> ApiError {{ {constant}.error(message) }}\n",
            names::member(name)
        )?;
    }
    Ok(out)
}

/// One marker type per operation.
pub(crate) fn operations(service: &Service, model: &Model) -> Result<String> {
    let codec = match model.metadata.protocol.as_str() {
        "json" => "AwsJson",
        "query" => "AwsQuery",
        other => bail!("the protocol `{other}` is not supported yet"),
    };
    let mut out = String::from("use super::types;\n\n");
    for (name, operation) in sorted(service, model)? {
        let input = match &operation.input {
            Some(input) => format!("types::{}", input.shape),
            None => "wire::NoOutput".to_owned(),
        };
        let output = match &operation.output {
            Some(output) => format!("types::{}", output.shape),
            None => "wire::NoOutput".to_owned(),
        };
        writeln!(
            out,
            "#[derive(Debug, Clone, Copy)]
            pub struct {name};

            impl wire::Operation for {name} {{
            const NAME: &'static str = {name:?};
            const API: &'static wire::Api = &super::api::API;
            type Codec = wire::{codec};
            type Input = {input};
            type Output = {output};
            }}
            "
        )?;
    }
    let names: Vec<&str> = sorted(service, model)?.iter().map(|(name, _)| name.as_str()).collect();
    writeln!(
        out,
        "/// Calls a macro with the names of all operations in scope: `callback!(CreateCluster, …)`.
        #[macro_export]
        macro_rules! for_each_operation {{
            ($callback:ident) => {{ $callback!({}); }};
        }}",
        names.join(", ")
    )?;
    Ok(out)
}

/// The service's static.
pub(crate) fn api(service: &Service, model: &Model) -> Result<String> {
    let metadata = &model.metadata;
    let protocol = match (metadata.protocol.as_str(), metadata.json_version.as_deref()) {
        ("json", Some("1.0")) => "AwsJson1_0",
        ("json", Some("1.1")) => "AwsJson1_1",
        ("query", None) => "AwsQuery",
        (other, _) => bail!("the protocol `{other}` is not supported yet"),
    };
    let mut infos = String::new();
    for (name, operation) in sorted(service, model)? {
        let errors: Vec<String> = operation
            .errors
            .iter()
            .map(|error| format!("&errors::{}", names::constant(&error.shape)))
            .collect();
        let wrapper = operation.output.as_ref().and_then(|output| output.result_wrapper.as_ref());
        writeln!(
            infos,
            "wire::OperationInfo {{ name: {name:?}, errors: &[{}], has_output: {}, \
             result_wrapper: {wrapper:?} }},",
            errors.join(", "),
            operation.output.is_some(),
        )?;
    }
    ensure!(model.operation_names.is_sorted(), "the operation names are not sorted");
    let signing_name = metadata.signing_name.as_ref().unwrap_or(&metadata.endpoint_prefix);
    let uses = if infos.contains("errors::") { "use super::errors;\n\n" } else { "" };
    let mut out = String::from(uses);
    writeln!(
        out,
        "pub static API: wire::Api = wire::Api {{
            service_id: {:?},
            full_name: {:?},
            signing_name: {signing_name:?},
            endpoint_prefix: {:?},
            target_prefix: {:?},
            protocol: wire::Protocol::{protocol},
            api_version: {:?},
            xml_namespace: {:?},
            validation_error_code: {:?},
            operations: &[{infos}],
            operation_names: &{:?},
        }};",
        metadata.service_id,
        metadata.service_full_name,
        metadata.endpoint_prefix,
        metadata.target_prefix,
        metadata.api_version,
        metadata.xml_namespace,
        service.validation_error_code,
        model.operation_names,
    )
    .context("cannot write the service's table")?;
    Ok(out)
}
