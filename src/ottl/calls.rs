/*!
Functions: their names, their parameters, and where they exist.

A line below is all that is declared of one; arguments are checked against it when a text is compiled, and the
module of its [`Family`] runs it.
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
    pub(super) family: Family,
    pub(super) parameters: &'static [Parameter],
    /// Its result depends on its arguments alone.
    pub(super) is_pure: bool,
}

impl Function {
    pub(super) fn is_editor(&self) -> bool {
        self.name.starts_with(|c: char| c.is_ascii_lowercase())
    }
}

/// Declares functions, each with the parameters that it must be given and, behind a `;`, those that it may be.
macro_rules! functions {
    ($($family:ident: {$(
        $called:ident $name:literal ($($required:ident: $takes:ident),* $(; $($optional:ident: $may:ident),+)?)
    )*})*) => {
        /// Who runs a function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Family { $($family),* }

        /// Which function it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Called { $($($called),*),* }

        /// All functions.
        pub(super) const FUNCTIONS: &[Function] = &[$($(Function {
            name: $name,
            is: Called::$called,
            family: Family::$family,
            parameters: &[
                $(Parameter { name: stringify!($required), takes: Type::$takes, is_optional: false },)*
                $($(Parameter { name: stringify!($optional), takes: Type::$may, is_optional: true },)+)?
            ],
            is_pure: is_pure(Called::$called),
        }),*),*];
    };
}

functions! {
    Editor: {
        Set "set" (target: Path, value: Any)
        Append "append" (target: Path; value: Any, values: Anys)
        DeleteIndex "delete_index" (target: Path, start_index: Int; end_index: Int)
        DeleteKey "delete_key" (target: MapPath, key: String)
        DeleteMatchingKeys "delete_matching_keys" (target: MapPath, pattern: String)
        Flatten "flatten" (target: MapPath; prefix: Text, depth: Number, resolve_conflicts: Truth)
        KeepKeys "keep_keys" (target: MapPath, keys: Strings)
        KeepMatchingKeys "keep_matching_keys" (target: MapPath, pattern: String)
        Limit "limit" (target: MapPath, limit: Number, priority_keys: Texts)
        MergeMaps "merge_maps" (target: MapPath, source: Map, strategy: Text)
        ReplacePattern "replace_pattern"
            (target: Path, regex_pattern: String, replacement: String; function: Function, replacement_format: String)
        ReplaceMatch "replace_match"
            (target: Path, pattern: String, replacement: String; function: Function, replacement_format: String)
        ReplaceAllPatterns "replace_all_patterns"
            (target: MapPath, mode: Text, regex_pattern: String, replacement: String;
            function: Function, replacement_format: String)
        ReplaceAllMatches "replace_all_matches"
            (target: MapPath, pattern: String, replacement: String; function: Function, replacement_format: String)
        SetSemconvSpanName "set_semconv_span_name" (semconv_version: Text; original_span_name_attribute: Text)
        StringifyAll "stringify_all" (target: MapPath)
        TruncateAll "truncate_all" (target: MapPath, limit: Number; utf8_safe: Truth)
    }
    Type: {
        IsString "IsString" (target: String)
        IsMap "IsMap" (target: Map)
        IsList "IsList" (target: Any)
        IsInt "IsInt" (target: Int)
        IsDouble "IsDouble" (target: Double)
        IsBool "IsBool" (target: Bool)
        IsRootSpan "IsRootSpan" ()
        String "String" (target: StringLike)
        Int "Int" (target: IntLike)
        Double "Double" (target: DoubleLike)
        Bool "Bool" (target: BoolLike)
        Coalesce "Coalesce" (values: Anys)
        Log "Log" (target: DoubleLike)
        Uuid "UUID" ()
        UuidV7 "UUIDv7" ()
    }
    Text: {
        IsMatch "IsMatch" (target: StringLike, pattern: String)
        HasPrefix "HasPrefix" (target: String, prefix: String)
        HasSuffix "HasSuffix" (target: String, suffix: String)
        IsValidLuhn "IsValidLuhn" (target: StringLike)
        IsInCidr "IsInCIDR" (target: String, networks: Strings)
        ConvertCase "ConvertCase" (target: String, to_case: Text)
        ToLowerCase "ToLowerCase" (target: String)
        ToUpperCase "ToUpperCase" (target: String)
        ToSnakeCase "ToSnakeCase" (target: String)
        ToCamelCase "ToCamelCase" (target: String)
        Concat "Concat" (vals: StringLikes, delimiter: String)
        Format "Format" (format: Text, vals: Anys)
        Split "Split" (target: String, delimiter: String)
        Substring "Substring" (target: String, start: Int, length: Int; utf8_safe: Truth)
        Trim "Trim" (target: String; replacement: Text)
        TrimPrefix "TrimPrefix" (target: String, prefix: String)
        TrimSuffix "TrimSuffix" (target: String, suffix: String)
    }
    Encoding: {
        Sha1 "SHA1" (target: String)
        Sha256 "SHA256" (target: String)
        Sha512 "SHA512" (target: String)
        Md5 "MD5" (target: String)
        Fnv "FNV" (target: String)
        Murmur3Hash "Murmur3Hash" (target: String)
        Murmur3Hash128 "Murmur3Hash128" (target: String)
        Hex "Hex" (target: BytesLike)
        Base64Encode "Base64Encode" (target: String; variant: String)
        Base64Decode "Base64Decode" (target: String)
        Decode "Decode" (target: Any, encoding: String)
        TraceId "TraceID" (target: BytesLike)
        SpanId "SpanID" (target: BytesLike)
    }
    Collection: {
        Len "Len" (target: Any)
        Index "Index" (target: Any, value: Any)
        ContainsValue "ContainsValue" (target: List, item: Any)
        Keys "Keys" (target: Map)
        Values "Values" (target: Map)
        Sort "Sort" (target: Any; order: Text)
        SliceToMap "SliceToMap" (target: List; key_path: Texts, value_path: Texts)
        ToKeyValueString "ToKeyValueString" (target: Map; delimiter: Text, pair_delimiter: Text, sort_output: Truth)
    }
    Parser: {
        ParseInt "ParseInt" (target: String, base: Int)
        ParseJson "ParseJSON" (target: String)
        ParseKeyValue "ParseKeyValue" (target: String; delimiter: Text, pair_delimiter: Text)
        ExtractPatterns "ExtractPatterns" (target: String, pattern: String)
        Url "URL" (uri: String)
    }
    Time: {
        Now "Now" ()
        Time "Time" (time: String, format: Text; location: Text, locale: Text)
        FormatTime "FormatTime" (time: Time, format: Text)
        TruncateTime "TruncateTime" (time: Time, duration: Duration)
        Duration "Duration" (duration: String)
        Unix "Unix" (seconds: Int; nanoseconds: Int)
        UnixNano "UnixNano" (time: Time)
        UnixMicro "UnixMicro" (time: Time)
        UnixMilli "UnixMilli" (time: Time)
        UnixSeconds "UnixSeconds" (time: Time)
        Year "Year" (time: Time)
        Month "Month" (time: Time)
        Day "Day" (time: Time)
        Weekday "Weekday" (time: Time)
        Hour "Hour" (time: Time)
        Minute "Minute" (time: Time)
        Second "Second" (time: Time)
        Nanosecond "Nanosecond" (time: Time)
        Nanoseconds "Nanoseconds" (duration: Duration)
        Microseconds "Microseconds" (duration: Duration)
        Milliseconds "Milliseconds" (duration: Duration)
        Seconds "Seconds" (duration: Duration)
        Minutes "Minutes" (duration: Duration)
        Hours "Hours" (duration: Duration)
    }
}

/// A time that is read may lack its year, and gets the current one.
const fn is_pure(called: Called) -> bool {
    !matches!(
        called,
        Called::Now | Called::Time | Called::Uuid | Called::UuidV7
    )
}

/// The function of this name.
pub(super) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The contexts in which a function exists.
pub(super) fn available(name: &str) -> Contexts {
    match name {
        "IsRootSpan" | "set_semconv_span_name" => Contexts::SPAN,
        _ => Contexts::ALL,
    }
}

#[cfg(test)]
mod tests {
    use super::FUNCTIONS;

    #[test]
    fn each_function_is_in_the_manual() {
        let manual = include_str!("../../docs/configuration.md");
        let section = manual.split("### OTTL").nth(1).unwrap_or_default();
        let section = section.split("\n## ").next().unwrap_or_default();
        for function in FUNCTIONS {
            assert!(
                section.contains(&format!("`{}`", function.name)),
                "{}",
                function.name
            );
        }
    }
}
