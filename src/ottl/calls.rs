/*!
Functions: their names, their parameters, and where they exist.

A row of [`FUNCTIONS`] is all that is declared; arguments are checked against it when a text is compiled, and
[`super::eval`] runs what it names.
*/

use super::context::Contexts;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    String,
    /// Any value, as text.
    StringLike,
    Int,
    IntLike,
    DoubleLike,
    BoolLike,
    BytesLike,
    Double,
    Bool,
    Map,
    List,
    Time,
    Duration,
    /// A path, to be read and set.
    Path,
    /// A path to a map.
    MapPath,
    /// A literal.
    Text,
    Number,
    Truth,
    /// A list written out, of strings, of anything as text, of anything, of literals.
    Strings,
    StringLikes,
    Anys,
    Texts,
    /// The name of a function of one string.
    Function,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) takes: Type,
    pub(super) is_optional: bool,
}

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) is: Called,
    pub(super) parameters: &'static [Parameter],
    /// Its result depends on its arguments alone.
    pub(super) is_pure: bool,
}

impl Function {
    pub(super) fn is_editor(&self) -> bool {
        self.name.starts_with(|c: char| c.is_ascii_lowercase())
    }
}

/// Which function it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    Set,
    DeleteKey,
    DeleteMatchingKeys,
    KeepKeys,
    KeepMatchingKeys,
    ReplacePattern,
    ReplaceMatch,
    ReplaceAllPatterns,
    ReplaceAllMatches,
    TruncateAll,
    Limit,
    MergeMaps,
    IsMatch,
    IsString,
    IsMap,
    IsList,
    IsInt,
    IsDouble,
    IsBool,
    IsRootSpan,
    ConvertCase,
    ToLowerCase,
    ToUpperCase,
    ToSnakeCase,
    ToCamelCase,
    Concat,
    Split,
    Substring,
    HasPrefix,
    HasSuffix,
    Trim,
    TrimPrefix,
    TrimSuffix,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    Fnv,
    Hex,
    Base64Encode,
    Base64Decode,
    String,
    Int,
    Double,
    Bool,
    Len,
    Index,
    ContainsValue,
    Coalesce,
    ParseJson,
    ExtractPatterns,
    TraceId,
    SpanId,
    Now,
    Duration,
    Unix,
    UnixNano,
    UnixMicro,
    UnixMilli,
    UnixSeconds,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

const fn p(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        is_optional: false,
    }
}

const fn optional(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        is_optional: true,
    }
}

const fn f(name: &'static str, is: Called, parameters: &'static [Parameter]) -> Function {
    Function {
        name,
        is,
        parameters,
        is_pure: !matches!(is, Called::Now),
    }
}

const STRING: &[Parameter] = &[p("target", Type::String)];
const TIME: &[Parameter] = &[p("time", Type::Time)];
const DURATION: &[Parameter] = &[p("duration", Type::Duration)];
const FORMAT: Parameter = optional("replacement_format", Type::String);
const FUNCTION: Parameter = optional("function", Type::Function);

/// All functions.
pub(super) const FUNCTIONS: &[Function] = &[
    f(
        "set",
        Called::Set,
        &[p("target", Type::Path), p("value", Type::Any)],
    ),
    f(
        "delete_key",
        Called::DeleteKey,
        &[p("target", Type::MapPath), p("key", Type::String)],
    ),
    f(
        "delete_matching_keys",
        Called::DeleteMatchingKeys,
        &[p("target", Type::MapPath), p("pattern", Type::String)],
    ),
    f(
        "keep_keys",
        Called::KeepKeys,
        &[p("target", Type::MapPath), p("keys", Type::Strings)],
    ),
    f(
        "keep_matching_keys",
        Called::KeepMatchingKeys,
        &[p("target", Type::MapPath), p("pattern", Type::String)],
    ),
    f(
        "replace_pattern",
        Called::ReplacePattern,
        &[
            p("target", Type::Path),
            p("regex_pattern", Type::String),
            p("replacement", Type::String),
            FUNCTION,
            FORMAT,
        ],
    ),
    f(
        "replace_match",
        Called::ReplaceMatch,
        &[
            p("target", Type::Path),
            p("pattern", Type::String),
            p("replacement", Type::String),
            FUNCTION,
            FORMAT,
        ],
    ),
    f(
        "replace_all_patterns",
        Called::ReplaceAllPatterns,
        &[
            p("target", Type::MapPath),
            p("mode", Type::Text),
            p("regex_pattern", Type::String),
            p("replacement", Type::String),
            FUNCTION,
            FORMAT,
        ],
    ),
    f(
        "replace_all_matches",
        Called::ReplaceAllMatches,
        &[
            p("target", Type::MapPath),
            p("pattern", Type::String),
            p("replacement", Type::String),
            FUNCTION,
            FORMAT,
        ],
    ),
    f(
        "truncate_all",
        Called::TruncateAll,
        &[
            p("target", Type::MapPath),
            p("limit", Type::Number),
            optional("utf8_safe", Type::Truth),
        ],
    ),
    f(
        "limit",
        Called::Limit,
        &[
            p("target", Type::MapPath),
            p("limit", Type::Number),
            p("priority_keys", Type::Texts),
        ],
    ),
    f(
        "merge_maps",
        Called::MergeMaps,
        &[
            p("target", Type::MapPath),
            p("source", Type::Map),
            p("strategy", Type::Text),
        ],
    ),
    f(
        "IsMatch",
        Called::IsMatch,
        &[p("target", Type::StringLike), p("pattern", Type::String)],
    ),
    f("IsString", Called::IsString, STRING),
    f("IsMap", Called::IsMap, &[p("target", Type::Map)]),
    f("IsList", Called::IsList, &[p("target", Type::Any)]),
    f("IsInt", Called::IsInt, &[p("target", Type::Int)]),
    f("IsDouble", Called::IsDouble, &[p("target", Type::Double)]),
    f("IsBool", Called::IsBool, &[p("target", Type::Bool)]),
    f("IsRootSpan", Called::IsRootSpan, &[]),
    f(
        "ConvertCase",
        Called::ConvertCase,
        &[p("target", Type::String), p("to_case", Type::Text)],
    ),
    f("ToLowerCase", Called::ToLowerCase, STRING),
    f("ToUpperCase", Called::ToUpperCase, STRING),
    f("ToSnakeCase", Called::ToSnakeCase, STRING),
    f("ToCamelCase", Called::ToCamelCase, STRING),
    f(
        "Concat",
        Called::Concat,
        &[p("vals", Type::StringLikes), p("delimiter", Type::String)],
    ),
    f(
        "Split",
        Called::Split,
        &[p("target", Type::String), p("delimiter", Type::String)],
    ),
    f(
        "Substring",
        Called::Substring,
        &[
            p("target", Type::String),
            p("start", Type::Int),
            p("length", Type::Int),
            optional("utf8_safe", Type::Truth),
        ],
    ),
    f(
        "HasPrefix",
        Called::HasPrefix,
        &[p("target", Type::String), p("prefix", Type::String)],
    ),
    f(
        "HasSuffix",
        Called::HasSuffix,
        &[p("target", Type::String), p("suffix", Type::String)],
    ),
    f(
        "Trim",
        Called::Trim,
        &[
            p("target", Type::String),
            optional("replacement", Type::Text),
        ],
    ),
    f(
        "TrimPrefix",
        Called::TrimPrefix,
        &[p("target", Type::String), p("prefix", Type::String)],
    ),
    f(
        "TrimSuffix",
        Called::TrimSuffix,
        &[p("target", Type::String), p("suffix", Type::String)],
    ),
    f("SHA1", Called::Sha1, STRING),
    f("SHA256", Called::Sha256, STRING),
    f("SHA512", Called::Sha512, STRING),
    f("MD5", Called::Md5, STRING),
    f("FNV", Called::Fnv, STRING),
    f("Hex", Called::Hex, &[p("target", Type::BytesLike)]),
    f("Base64Encode", Called::Base64Encode, STRING),
    f("Base64Decode", Called::Base64Decode, STRING),
    f("String", Called::String, &[p("target", Type::StringLike)]),
    f("Int", Called::Int, &[p("target", Type::IntLike)]),
    f("Double", Called::Double, &[p("target", Type::DoubleLike)]),
    f("Bool", Called::Bool, &[p("target", Type::BoolLike)]),
    f("Len", Called::Len, &[p("target", Type::Any)]),
    f(
        "Index",
        Called::Index,
        &[p("target", Type::Any), p("value", Type::Any)],
    ),
    f(
        "ContainsValue",
        Called::ContainsValue,
        &[p("target", Type::List), p("item", Type::Any)],
    ),
    f("Coalesce", Called::Coalesce, &[p("values", Type::Anys)]),
    f("ParseJSON", Called::ParseJson, STRING),
    f(
        "ExtractPatterns",
        Called::ExtractPatterns,
        &[p("target", Type::String), p("pattern", Type::String)],
    ),
    f("TraceID", Called::TraceId, &[p("target", Type::BytesLike)]),
    f("SpanID", Called::SpanId, &[p("target", Type::BytesLike)]),
    f("Now", Called::Now, &[]),
    f("Duration", Called::Duration, &[p("duration", Type::String)]),
    f(
        "Unix",
        Called::Unix,
        &[p("seconds", Type::Int), optional("nanoseconds", Type::Int)],
    ),
    f("UnixNano", Called::UnixNano, TIME),
    f("UnixMicro", Called::UnixMicro, TIME),
    f("UnixMilli", Called::UnixMilli, TIME),
    f("UnixSeconds", Called::UnixSeconds, TIME),
    f("Nanoseconds", Called::Nanoseconds, DURATION),
    f("Microseconds", Called::Microseconds, DURATION),
    f("Milliseconds", Called::Milliseconds, DURATION),
    f("Seconds", Called::Seconds, DURATION),
    f("Minutes", Called::Minutes, DURATION),
    f("Hours", Called::Hours, DURATION),
];

/// The function of this name.
pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The contexts in which a function exists.
pub(super) fn available(name: &str) -> Contexts {
    match name {
        "IsRootSpan" => Contexts::SPAN,
        _ => Contexts::ALL,
    }
}
