//! Guards the contract: no field, value or method is removed, renumbered or given another type.
//!
//! `proto/apex/v1/fields.txt` lists what was promised. What is added is added there as well; what is there stays.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/apex_descriptor.bin"));
const PROMISED: &str = include_str!("../../proto/apex/v1/fields.txt");

#[test]
fn nothing_that_was_promised_is_removed_or_renumbered_and_what_is_new_is_listed() {
    let promised: BTreeSet<String> = PROMISED.lines().map(str::to_owned).collect();
    let actual = listing();
    let gone: Vec<_> = promised.difference(&actual).collect();
    assert!(gone.is_empty(), "clients rely on these lines of proto/apex/v1/fields.txt, keep them true: {gone:#?}");
    let new: Vec<_> = actual.difference(&promised).map(String::as_str).collect();
    assert!(new.is_empty(), "add to proto/apex/v1/fields.txt, sorted:\n{}", new.join("\n"));
}

#[test]
fn the_listing_is_sorted_and_holds_each_line_once() {
    let lines: Vec<_> = PROMISED.lines().collect();
    assert!(lines.is_sorted_by(|a, b| a < b));
}

fn listing() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for file in FileDescriptorSet::decode(DESCRIPTOR).unwrap().file {
        if file.package() == "apex.v1" {
            list_file(&file, &mut lines);
        }
    }
    lines
}

fn list_file(file: &FileDescriptorProto, lines: &mut BTreeSet<String>) {
    for message in &file.message_type {
        list_message(message.name(), message, lines);
    }
    for list in &file.enum_type {
        for value in &list.value {
            lines.insert(format!("enum {}.{} = {}", list.name(), value.name(), value.number()));
        }
    }
    for service in &file.service {
        for method in &service.method {
            let stream = |streams: bool| if streams { "stream " } else { "" };
            lines.insert(format!(
                "rpc {}.{}({}{}) returns ({}{})",
                service.name(),
                method.name(),
                stream(method.client_streaming()),
                method.input_type(),
                stream(method.server_streaming()),
                method.output_type(),
            ));
        }
    }
}

fn list_message(name: &str, message: &DescriptorProto, lines: &mut BTreeSet<String>) {
    for field in &message.field {
        let (of, number) = (field_type(field), field.number());
        lines.insert(format!("message {name}.{} = {number}: {of}{}", field.name(), oneof(message, field)));
    }
    for nested in &message.nested_type {
        list_message(&format!("{name}.{}", nested.name()), nested, lines);
    }
}

fn field_type(field: &FieldDescriptorProto) -> String {
    let presence = match field.label() {
        Label::Repeated => "repeated ",
        _ if field.proto3_optional() => "optional ",
        _ => "",
    };
    let name = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().to_owned(),
        plain => plain.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    };
    format!("{presence}{name}")
}

fn oneof(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let index = field.oneof_index.filter(|_| !field.proto3_optional());
    let oneof = index.and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
    oneof.map(|oneof| format!(" in {}", oneof.name())).unwrap_or_default()
}
