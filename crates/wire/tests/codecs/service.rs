//! A made-up service, spelled the way the generator spells one.

use std::collections::BTreeMap;

use base::Timestamp;
use wire::export::{IgnoredAny, MapAccess, SerializeStruct};
use wire::{
    Api, Length, NoOutput, Operation, OperationInfo, Pattern, Protocol, Range, StringRule,
    Validate, Violations, put,
};

wire::string_enum! {
    Colour { Red = "RED", LightBlue = "LIGHT-BLUE" }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: Option<i32>,
    pub(crate) y: Option<i32>,
    pub(crate) label: Option<String>,
}

impl wire::Structure for Point {
    const NAME: &'static str = "Point";
    const MEMBERS: &'static [&'static str] = &["x", "y", "label"];
    fn read<'de, A: MapAccess<'de>>(&mut self, member: usize, map: &mut A) -> Result<(), A::Error> {
        match member {
            0 => self.x = map.next_value()?,
            1 => self.y = map.next_value()?,
            2 => self.label = map.next_value()?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error> {
        put(out, "x", &self.x)?;
        put(out, "y", &self.y)?;
        put(out, "label", &self.label)?;
        Ok(())
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Drawing {
    pub(crate) name: Option<String>,
    pub(crate) points: Option<Vec<Point>>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    pub(crate) colour: Option<Colour>,
    pub(crate) colours: Option<Vec<Colour>>,
    pub(crate) names: Option<Vec<String>>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) scale: Option<f64>,
    pub(crate) size: Option<i64>,
    pub(crate) done: Option<bool>,
    pub(crate) shape: Option<Shape>,
}

impl wire::Structure for Drawing {
    const NAME: &'static str = "Drawing";
    const MEMBERS: &'static [&'static str] = &[
        "name", "points", "tags", "colour", "colours", "names", "At", "scale", "size", "done",
        "shape",
    ];
    fn read<'de, A: MapAccess<'de>>(&mut self, member: usize, map: &mut A) -> Result<(), A::Error> {
        match member {
            0 => self.name = map.next_value()?,
            1 => self.points = map.next_value()?,
            2 => self.tags = map.next_value()?,
            3 => self.colour = map.next_value()?,
            4 => self.colours = map.next_value()?,
            5 => self.names = map.next_value()?,
            6 => self.at = wire::read_timestamp(map)?,
            7 => self.scale = map.next_value()?,
            8 => self.size = map.next_value()?,
            9 => self.done = map.next_value()?,
            10 => self.shape = map.next_value()?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error> {
        put(out, "name", &self.name)?;
        put(out, "points", &self.points)?;
        put(out, "tags", &self.tags)?;
        put(out, "colour", &self.colour)?;
        put(out, "colours", &self.colours)?;
        put(out, "names", &self.names)?;
        wire::put_timestamp(out, "At", self.at)?;
        put(out, "scale", &self.scale)?;
        put(out, "size", &self.size)?;
        put(out, "done", &self.done)?;
        put(out, "shape", &self.shape)?;
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Dot(Point),
    Colour(Colour),
}

impl wire::Union for Shape {
    const NAME: &'static str = "Shape";
    const MEMBERS: &'static [&'static str] = &["dot", "colour"];

    fn read<'de, A: MapAccess<'de>>(member: usize, map: &mut A) -> Result<Option<Self>, A::Error> {
        Ok(match member {
            0 => map.next_value::<Option<_>>()?.map(Self::Dot),
            1 => map.next_value::<Option<_>>()?.map(Self::Colour),
            _ => {
                map.next_value::<IgnoredAny>()?;
                None
            }
        })
    }

    fn write<S: SerializeStruct>(&self, out: &mut S) -> Result<(), S::Error> {
        match self {
            Self::Dot(value) => out.serialize_field("dot", value),
            Self::Colour(value) => out.serialize_field("colour", value),
        }
    }
}

wire::structure_serde!(Drawing, Point);
wire::union_serde!(Shape);

impl Validate for Drawing {
    fn validate(&self, _violations: &mut Violations) {}
}

/// A structure whose members are held against every kind of constraint.
#[derive(Debug, Default)]
pub(crate) struct Strict(pub(crate) Drawing);

static PATTERN: Pattern = Pattern::new("[a-z]+", r"\A(?:[a-z]+)\z");
static NAME: StringRule =
    StringRule { length: Length { min: 2, max: 4 }, pattern: Some(&PATTERN), sensitive: false };
static SECRET: StringRule =
    StringRule { length: Length { min: 0, max: 1 }, pattern: None, sensitive: true };

impl Validate for Strict {
    fn validate(&self, violations: &mut Violations) {
        let Self(drawing) = self;
        violations.required("done", drawing.done.as_ref());
        violations.string("name", drawing.name.as_ref(), &NAME);
        violations.list_length("points", drawing.points.as_ref(), Length { min: 1, max: 2 });
        violations.structures("points", drawing.points.as_ref());
        violations.map("tags", drawing.tags.as_ref(), &NAME, &SECRET);
        violations.choice("colour", drawing.colour.as_ref());
        violations.choices("colours", drawing.colours.as_ref());
        violations.strings("names", drawing.names.as_ref(), &NAME);
        violations.number("size", drawing.size.as_ref(), Range { min: 0, max: i64::MAX });
    }
}

impl Validate for Point {
    fn validate(&self, violations: &mut Violations) {
        violations.required("x", self.x.as_ref());
        violations.string("label", self.label.as_ref(), &SECRET);
    }
}

const fn operation(name: &'static str, has_output: bool) -> OperationInfo {
    OperationInfo { name, errors: &[], has_output, result_wrapper: Some("DrawResult") }
}

pub(crate) static JSON_API: Api = Api {
    service_id: "Draw",
    full_name: "Drawing Service",
    signing_name: "draw",
    endpoint_prefix: "draw",
    target_prefix: Some("Draw"),
    protocol: Protocol::AwsJson1_1,
    api_version: "2000-01-01",
    xml_namespace: None,
    validation_error_code: "ValidationException",
    operations: &[operation("Draw", true), operation("Nothing", false)],
    operation_names: &["Draw", "Nothing"],
};

pub(crate) static QUERY_API: Api = Api {
    target_prefix: None,
    protocol: Protocol::AwsQuery,
    xml_namespace: Some("https://draw/"),
    ..JSON_API
};

#[derive(Debug)]
pub(crate) struct Draw;

impl Operation for Draw {
    const NAME: &'static str = "Draw";
    const API: &'static Api = &JSON_API;
    type Codec = wire::AwsJson;
    type Input = Drawing;
    type Output = Drawing;
}

#[derive(Debug)]
pub(crate) struct DrawQuery;

impl Operation for DrawQuery {
    const NAME: &'static str = "Draw";
    const API: &'static Api = &QUERY_API;
    type Codec = wire::AwsQuery;
    type Input = Drawing;
    type Output = Drawing;
}

#[derive(Debug)]
pub(crate) struct Nothing;

impl Operation for Nothing {
    const NAME: &'static str = "Nothing";
    const API: &'static Api = &JSON_API;
    type Codec = wire::AwsJson;
    type Input = Drawing;
    type Output = NoOutput;
}
