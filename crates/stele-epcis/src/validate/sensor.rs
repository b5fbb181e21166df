//! Sensor data.

use serde_json::Value;

use super::checker::Checker;
use super::vocabulary::{COMPONENTS, MEASUREMENT_TYPES, SENSOR_ALERTS};

pub(super) fn sensor_element(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["sensorReport"]);
    c.members(map, true, |c, name, value| {
        match name {
            "sensorMetadata" => metadata(c, value),
            "sensorReport" => c.list_of(value, 1, report),
            _ => return false,
        }
        true
    });
}

fn metadata(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.members(map, true, |c, name, value| {
        match name {
            "time" | "startTime" | "endTime" => c.time(value),
            "deviceID" => c.key(value),
            "deviceMetadata" | "rawData" | "dataProcessingMethod" | "bizRules" => c.uri(value),
            _ => return false,
        }
        true
    });
}

fn report(c: &mut Checker, value: &Value) {
    let Some(map) = c.object(value) else { return };
    c.require(map, &["type"]);
    c.members(map, true, |c, name, value| {
        match name {
            "type" => c.web(value, "type", MEASUREMENT_TYPES),
            "exception" => c.web(value, "exception", SENSOR_ALERTS),
            "deviceID" => c.key(value),
            "deviceMetadata"
            | "rawData"
            | "dataProcessingMethod"
            | "bizRules"
            | "microorganism"
            | "chemicalSubstance"
            | "coordinateReferenceSystem"
            | "uriValue" => c.uri(value),
            "time" => c.time(value),
            "component" => c.cbv(value, "component", COMPONENTS),
            "value" | "minValue" | "maxValue" | "meanValue" | "sDev" | "percRank" | "percValue" => {
                c.number(value)
            }
            "stringValue" | "uom" => {
                c.string(value);
            }
            "booleanValue" => c.boolean(value),
            "hexBinaryValue" => c.form(value, "hexadecimal digits", |text| {
                !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit())
            }),
            _ => return false,
        }
        true
    });
}
