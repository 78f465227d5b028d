//! The rule that an alert stands for, and where it stands in ATT&CK.
//!
//! The identifiers are stable and never change with the wording. The names are those
//! of ATT&CK up to version 18, as the rule states them.

use super::object::Object;

/// `rule.id` and `event.code`.
pub(super) const RULE_ID: &str = "LDP-001";
/// `rule.uuid`: this rule, in every version of it.
const RULE_UUID: &str = "155f34eb-7cee-4c0e-8fef-bab2166515d1";
/// Sub-technique, also a tag.
pub(super) const SUBTECHNIQUE: &str = "T1574.006";

pub(super) fn rule() -> Object<'static> {
    let mut object = Object::default();
    object.put("id", RULE_ID);
    object.put("uuid", RULE_UUID);
    object.put(
        "name",
        "Dynamic linker preload file created or changed in a container",
    );
    object.put(
        "description",
        "The dynamic linker loads every library named in /etc/ld.so.preload into every dynamically linked program, \
         before any other. Whoever creates or changes that file in a container hijacks every process in it.",
    );
    object.put("category", "Defense Evasion");
    object.put("ruleset", "ldwatch");
    object.put(
        "reference",
        "https://attack.mitre.org/techniques/T1574/006/",
    );
    object.put("version", "1");
    object.put("license", "MIT OR Apache-2.0");
    object.list("author", ["ldwatch"]);
    object
}

pub(super) fn threat() -> Object<'static> {
    let mut technique = entry(
        "T1574",
        "Hijack Execution Flow",
        "https://attack.mitre.org/techniques/T1574/",
    );
    let reference = "https://attack.mitre.org/techniques/T1574/006/";
    technique.nest(
        "subtechnique",
        entry(SUBTECHNIQUE, "Dynamic Linker Hijacking", reference),
    );
    let mut object = Object::default();
    object.put("framework", "MITRE ATT&CK");
    object.nest(
        "tactic",
        entry(
            "TA0005",
            "Defense Evasion",
            "https://attack.mitre.org/tactics/TA0005/",
        ),
    );
    object.nest("technique", technique);
    object
}

fn entry(id: &'static str, name: &'static str, reference: &'static str) -> Object<'static> {
    let mut object = Object::default();
    object.list("id", [id]);
    object.list("name", [name]);
    object.list("reference", [reference]);
    object
}
