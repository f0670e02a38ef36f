//! The words of the language with what they are for and how they go on, as snippets.

use crate::syntax::ast::ItemKind;

/// A word, what it is for, and what is inserted.
pub type Word = (&'static str, &'static str, &'static str);

/// Every kind of item.
pub const ITEMS: &[Word] = &[
    ("use", "bring in names of the library or of a file", "use std.$0"),
    (
        "scenario",
        "a model on a machine under a workload",
        "scenario ${1:name} {\n  model  = $2\n  system = $3\n  plan   = $4\n  serve {\n    batch  = ${5:32}\n    prompt = ${6:2048}\n    output = ${7:256}\n  }\n}",
    ),
    (
        "plan",
        "how a model is spread over devices",
        "plan ${1:Name}(${2:tp}: Count = ${3:8}) {\n  mesh $2\n  shard ${4:heads, ffn, vocab} over $2\n}",
    ),
    ("model", "a block with sizes", "model ${1:Name} = ${2:Llama}($0)"),
    (
        "system",
        "chips joined by links",
        "system ${1:Name} {\n  source = \"$2\"\n  chip gpu = $3\n  level node = ${4:8} of gpu via $0\n}",
    ),
    (
        "chip",
        "a device and its datasheet",
        "chip ${1:Name} {\n  source = \"$2\"\n  compute matrix { bf16 = $3 }\n  compute vector { fp32 = $4 }\n  memory hbm { capacity = $5, bandwidth = $6 }\n}",
    ),
    (
        "link",
        "what joins devices",
        "link ${1:Name} {\n  source = \"$2\"\n  bandwidth = $3\n  latency = $4\n  topology = ${5:switch}\n}",
    ),
    (
        "block",
        "a layer, by its mathematics",
        "block ${1:Name}(${2:hidden}: Count) {\n  input x[batch, seq, $2]\n  $0\n}",
    ),
    (
        "op",
        "an operation on tensors",
        "op ${1:name}(a: Tensor[..A]) -> Tensor[..A] {\n  engine = ${2:vector}\n  flops = $0\n}",
    ),
    ("const", "a value with a name", "const ${1:name} = $0"),
    (
        "assume",
        "a value that is not known well, with its range",
        "assume ${1:name}: Number = ${2:0.8} in ${3:0.7} .. ${4:0.9}\n  because \"$0\"",
    ),
    ("fn", "a formula", "fn ${1:name}(${2:x}: Number) -> Number =\n  $0"),
    ("metric", "a result that follows from others", "metric ${1:name} for ${2:serve} = $0"),
    ("runtime", "what software makes of a machine", "runtime ${1:Name} {\n  $0\n}"),
    (
        "measured",
        "figures that were measured",
        "measured ${1:name} \"${2:what}\" = ${3:scenario} {\n  ${4:tpot} = $5 source \"$0\"\n}",
    ),
    (
        "sweep",
        "several inputs tried",
        "sweep ${1:name} of ${2:scenario} {\n  vary ${3:serve.batch} in [$4]\n  minimize ${5:tpot}\n}",
    ),
    ("dtype", "a number format", "dtype ${1:name} { bits = $0 }"),
    ("unit", "a unit", "unit ${1:name} = $0"),
    ("dimension", "what units measure", "dimension ${1:Name} = $0"),
    ("axis", "an axis of every model", "axis ${1:name}"),
];

/// Words inside of statements, with what they join.
pub const JOINING: &[(&str, &str)] = &[
    ("over", "the mesh axes that it is spread over"),
    ("within", "only in these blocks, instances or weights"),
    ("schedule", "the order in which the stages of a pipeline work"),
    ("across", "the level of the machine that it may run across"),
    ("with", "the same with differences; what was computed from a changed value follows"),
    ("on", "on chips of this name"),
    ("of", "of what"),
    ("via", "what joins them"),
    ("at", "the level that has it"),
    ("as", "what it is called here"),
    ("from", "what checkpoints call it"),
    ("dtype", "its number format"),
    ("density", "which share of it is not zero"),
    ("because", "why"),
    ("source", "where it is from"),
    ("in", "the values that it may have"),
    ("for", "the workload that has it"),
    ("per", "for each so many"),
    ("carry", "what goes from one round to the next"),
    ("if", "one of two, by a condition"),
    ("then", "where the condition holds"),
    ("else", "where the condition does not hold"),
    ("and", "both conditions hold"),
    ("or", "one of the conditions holds"),
    ("not", "the condition does not hold"),
];

const BLOCK: &[Word] = &[
    ("input", "a tensor that comes in", "input ${1:x}[${2:batch, seq, hidden}]"),
    ("weight", "a tensor that is learnt", "weight ${1:w}[${2:hidden}] from \"$0\""),
    ("output", "what comes out", "output $0"),
    ("axis", "another name for an axis, or its parts", "axis ${1:name} = $0"),
    ("require", "what must hold of the sizes", "require $1\n  else \"$0\""),
    ("fuse", "ops that run as one kernel", "fuse ${1:name} {\n  $0\n}"),
    (
        "repeat",
        "layers",
        "repeat i in ${1:layers} carry ${2:x} from \"${3:model.layers.{i\\}}\" {\n  $0\n}",
    ),
    ("if", "another structure under a condition", "if $1 {\n  $0\n}"),
];
const PLAN: &[Word] = &[
    ("mesh", "the mesh of devices, outermost first", "mesh $0"),
    ("shard", "which axes are cut over which mesh axes", "shard $1 over $0"),
    ("zero", "who keeps a replica only once", "zero ${1:optimizer} over $0"),
    ("overlap", "communication hidden behind computation", "overlap ${1:gradients}"),
    ("offload", "states that lie outside of the devices", "offload { ${1:optimizer} = ${2:host} }"),
    ("fold", "a product of mesh axes as one", "fold ${1:ep} = $0"),
];
const SYSTEM: &[Word] = &[
    ("chip", "a chip of the system", "chip ${1:gpu} = $0"),
    ("level", "how many of what, joined by what", "level ${1:node} = ${2:8} of ${3:gpu} via $0"),
    ("memory", "memory outside of the chips", "memory ${1:host} at ${2:node} via $3 {\n  $0\n}"),
];
const SCENARIO: &[Word] = &[("expect", "what should hold of the results", "expect $0")];
const CHIP: &[Word] = &[
    (
        "compute matrix",
        "rates of matrix units by number format",
        "compute matrix { ${1:bf16} = $0 }",
    ),
    ("compute vector", "rates of vector units", "compute vector { ${1:fp32} = $0 }"),
    ("memory hbm", "the main memory", "memory hbm { capacity = $1, bandwidth = $0 }"),
];
const OP: &[Word] = &[
    ("engine", "matrix or vector", "engine = $0"),
    ("flops", "operations", "flops = $0"),
    ("reads", "bytes read", "reads = $0"),
    ("writes", "bytes written", "writes = $0"),
    ("whole", "axes that must not be sharded", "whole = [$0]"),
    ("linear", "operands through which partial sums pass", "linear = [$0]"),
    ("combine", "how partials are joined", "combine = $0"),
    ("backward", "its gradients", "backward ${1:dy} {\n  grad $0\n}"),
];
const SWEEP: &[Word] = &[
    ("vary", "an input and its values", "vary $1 in [$0]"),
    ("where", "points that count", "where $0"),
    ("minimize", "what is wanted small", "minimize $0"),
    ("maximize", "what is wanted large", "maximize $0"),
];
const MODEL: &[Word] =
    &[("expect", "what should hold of the model", "expect parameters.total == $0")];

/// The statements of a kind of item; none in its sections.
#[must_use]
pub fn statements(kind: ItemKind, section: bool) -> &'static [Word] {
    match kind {
        ItemKind::Block => BLOCK,
        _ if section => &[],
        ItemKind::Plan => PLAN,
        ItemKind::System => SYSTEM,
        ItemKind::Scenario => SCENARIO,
        ItemKind::Chip => CHIP,
        ItemKind::Op => OP,
        ItemKind::Sweep => SWEEP,
        ItemKind::Model => MODEL,
        _ => &[],
    }
}
