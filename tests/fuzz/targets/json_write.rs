//! OTLP/JSON out: what prost decodes is written, and read back as the same.
//! Only what was validated is ever written, so that of the rest nothing is
//! asked but that it does no harm.

use super::{Grammar, Target, oracle::same};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use prost::Message as _;
use wayspan::pdata::json::{request_from_json, request_to_json};

pub const TARGET: Target = Target {
    name: "json_write",
    run,
    grammar: Grammar::Protobuf,
};

fn run(bytes: &[u8]) {
    let written = request_to_json(bytes);
    let Ok(mut model) = Request::decode(bytes) else {
        return;
    };
    let written = written.expect("what prost decodes is written");
    let again = request_from_json(&written).expect("what was written can be read");
    let mut again = Request::decode(&again[..]).unwrap();
    plain_nans(&mut again);
    plain_nans(&mut model);
    same(&again, &model);
}

/// In JSON there is one NaN.
fn plain_nans(request: &mut Request) {
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    fn value(of: &mut AnyValue) {
        match &mut of.value {
            Some(Value::DoubleValue(number)) if number.is_nan() => *number = f64::NAN,
            Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(value),
            Some(Value::KvlistValue(list)) => attributes(&mut list.values),
            _ => {}
        }
    }
    fn attributes(of: &mut [KeyValue]) {
        of.iter_mut().filter_map(|kv| kv.value.as_mut()).for_each(value);
    }
    for group in &mut request.resource_spans {
        if let Some(resource) = &mut group.resource {
            attributes(&mut resource.attributes);
        }
        for group in &mut group.scope_spans {
            if let Some(scope) = &mut group.scope {
                attributes(&mut scope.attributes);
            }
            for span in &mut group.spans {
                attributes(&mut span.attributes);
                span.events.iter_mut().for_each(|e| attributes(&mut e.attributes));
                span.links.iter_mut().for_each(|l| attributes(&mut l.attributes));
            }
        }
    }
}
