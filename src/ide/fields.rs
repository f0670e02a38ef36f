//! What each field of an item is for, in a sentence.
//!
//! In: a kind and a path. Out: words for hovers and completions. Results and parameters say it in
//! their own comments.

use crate::name::Name;
use crate::syntax::ast::ItemKind;

type Field = (&'static str, &'static str);

const SOURCE: Field = ("source", "Where the figures are from.");
const CHIP: &[Field] = &[
    SOURCE,
    ("runtime", "The runtime that holds on this chip unless a scenario says otherwise."),
    ("compute", "Peak rates: of the matrix units, of the plain (vector) units."),
    ("compute.*", "Peak rates by number format; dense, not sparse."),
    ("compute.*.*", "The peak rate in this number format; dense, not sparse."),
    (
        "processors",
        "How many parallel processors it has (SMs, compute units): kernels fill them in waves.",
    ),
    (
        "memory",
        "Its memories; tensors live in the largest one that has a capacity and a bandwidth.",
    ),
    ("memory.*", "A memory: its capacity, bandwidth and latency."),
    ("memory.*.capacity", "How much it holds."),
    ("memory.*.bandwidth", "Bytes a second at its peak."),
    ("memory.*.latency", "How long an access takes."),
    ("power", "What it draws."),
    ("power.tdp", "Power at most."),
    ("power.idle", "Power at rest."),
    ("price", "What renting it costs, for instance by the hour."),
    ("list_price", "What buying it costs."),
];
const LINK: &[Field] = &[
    SOURCE,
    ("bandwidth", "In one direction, for one device, over all its links together."),
    ("latency", "Of one hop."),
    ("launch", "Fixed cost of a collective call; `link_launch` where it is missing."),
    ("start", "What a large message takes before it runs at its rate."),
    (
        "efficiency",
        "Share of the bandwidth that large messages reach; `link_efficiency` where it is missing.",
    ),
    ("topology", "How devices are joined."),
    ("reduction", "Whether the switch can add up."),
    ("reduction_efficiency", "Share of the bandwidth that adding up in the switch reaches."),
    ("links", "In a mesh or torus: how many links make up the bandwidth."),
];
const SYSTEM: &[Field] = &[
    SOURCE,
    ("memory", "Memories outside of the chips, which the devices of a level share."),
    ("memory.*", "A memory that the devices of a level share, each over a link of its own."),
    ("memory.*.capacity", "How much it holds."),
    ("memory.*.bandwidth", "What all its devices share of it."),
    ("power", "What the machine draws around its chips."),
    ("power.host", "What each unit of the level draws beside its chips."),
    (
        "power.pue",
        "Power usage effectiveness: what the building draws for each watt of the machine.",
    ),
    ("price", "What renting the machine costs, in place of its chips."),
    ("*", "A chip of the system, by the name that it has here."),
];
const PLAN: &[Field] = &[
    SOURCE,
    ("micro_batch", "Sequences that a replica works on at once; the rest of its batch follows."),
    (
        "keep_gathered",
        "Weights that were gathered for the forward pass stay until the backward pass.",
    ),
    ("first_stage", "How many layers the first stage of a pipeline has, beside the embedding."),
    ("last_stage", "How many layers the last stage of a pipeline has, beside the head."),
    ("context", "How devices that share a sequence see each other's keys and values."),
    (
        "sequence",
        "What a device has of a sequence: two chunks that even out a causal mask, or one.",
    ),
    ("recompute", "What the backward pass makes once more instead of finding it kept."),
    ("prefill", "The plan of prefill, where the phases have plans and devices of their own."),
    ("decode", "The plan of decode, where the phases have plans and devices of their own."),
    ("offload", "States that lie in a memory outside of the devices, and pass through them."),
    ("offload.weights", "The memory that holds the weights; they come as they are read."),
    (
        "offload.cache",
        "The memory that holds the cache: what was there comes up, what a step adds goes down.",
    ),
    ("offload.state", "The memory that holds the recurrent state."),
    (
        "offload.activations",
        "The memory that holds what the forward pass saves for the backward pass.",
    ),
    ("offload.gradients", "The memory where gradients are added up."),
    ("offload.optimizer", "The memory of the optimizer's state; the update runs at its bandwidth."),
    ("offload.share", "Which share of these states lies outside; the rest stays."),
];
const PRECISION: &[Field] = &[
    (
        "precision",
        "Number formats by what they are for; `weights within Router = fp32` for some blocks.",
    ),
    ("precision.weights", "The format of weights."),
    ("precision.activations", "The format of activations."),
    ("precision.cache", "The format of keys and values that are kept."),
    ("precision.state", "The format of recurrent state."),
    ("precision.gradients", "The format of gradients."),
    ("precision.optimizer", "The format of the optimizer's state."),
    (
        "precision.compute",
        "What products compute in; else the wider format of the operands that the chip has.",
    ),
    (
        "precision.saved",
        "The format in which what the forward pass made waits for the backward pass.",
    ),
];
const MODEL: &[Field] = &[
    SOURCE,
    (
        "adapter",
        "What is learnt beside weights that stay as they are, for instance `Lora(rank: 16)`.",
    ),
];
const DTYPE: &[Field] = &[
    SOURCE,
    ("bits", "Bits of one element."),
    ("scale", "A scale for so many elements: `fp16 per 64`."),
    ("zero", "A zero point for so many elements: `int4 per 64`."),
    ("super", "What blocks of blocks have: a second scale."),
    ("block", "Elements that are stored together."),
    ("density", "Which share of the elements is stored."),
    ("index", "Bits that say where a stored element stands, in a sparse format."),
    ("format", "Another format for some weights, with `within`: a mix."),
];
const SCENARIO: &[Field] = &[
    SOURCE,
    ("model", "What runs."),
    ("system", "What it runs on."),
    ("plan", "How the model is spread over the devices; one device without it."),
    (
        "adapter",
        "What is learnt beside weights that stay as they are, for instance `Lora(rank: 16)`.",
    ),
    ("runtime", "The software; the chip's own without it."),
    ("serve", "The workload of answering requests."),
    ("serve.batch", "Requests at the same time, on the whole machine."),
    ("serve.prompt", "Tokens in, of each request."),
    ("serve.output", "Tokens out, of each request; prefill makes the first."),
    ("serve.images", "Pictures of each request; their tokens are part of `prompt`."),
    (
        "serve.sources",
        "Texts or sounds that an encoder beside the decoder reads for each request (T5, Whisper); \
         one unless it is said.",
    ),
    ("serve.clips", "Clips of sound of each request; their tokens are part of `prompt`."),
    ("train", "The workload of training."),
    ("train.batch", "Sequences in one step, on the whole machine."),
    ("train.seq", "Tokens of a sequence."),
    ("train.tokens", "Tokens of the whole run: its time and price follow."),
    ("train.optimizer", "What turns gradients into steps: its state takes memory."),
    (
        "train.frozen",
        "Weights stay as they are; `frozen within Lora = false` names those that learn.",
    ),
    ("train.clip", "Gradients are scaled down to this norm."),
];

fn table(kind: ItemKind) -> &'static [Field] {
    match kind {
        ItemKind::Chip => CHIP,
        ItemKind::Link => LINK,
        ItemKind::System => SYSTEM,
        ItemKind::Plan => PLAN,
        ItemKind::Model => MODEL,
        ItemKind::Dtype => DTYPE,
        ItemKind::Scenario | ItemKind::Measured => SCENARIO,
        _ => &[],
    }
}

/// What the field at a path is for.
#[must_use]
pub fn docs(kind: ItemKind, path: &[Name]) -> Option<&'static str> {
    let matches = |pattern: &str, wild: bool| {
        let mut parts = pattern.split('.');
        let mut is_next = |n: &Name| parts.next().is_some_and(|p| *n == p || (wild && p == "*"));
        path.iter().all(&mut is_next) && parts.next().is_none()
    };
    let has_formats = matches!(kind, ItemKind::Model | ItemKind::Scenario | ItemKind::Measured);
    let formats = if has_formats { PRECISION } else { &[] };
    let all = || table(kind).iter().chain(formats);
    let find = |wild| all().find(|(p, _)| matches(p, wild)).map(|(_, what)| *what);
    find(false).or_else(|| find(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_says_what_it_is_for() {
        let kinds = [
            ItemKind::Chip,
            ItemKind::Link,
            ItemKind::System,
            ItemKind::Plan,
            ItemKind::Model,
            ItemKind::Dtype,
            ItemKind::Scenario,
        ];
        for kind in kinds {
            for (pattern, _) in crate::check::schema_fields(kind) {
                let path: Vec<Name> = pattern.split('.').map(Name::new).collect();
                assert!(docs(kind, &path).is_some(), "{kind:?} {pattern}");
            }
            for (pattern, _) in table(kind) {
                let path: Vec<Name> = pattern.split('.').map(Name::new).collect();
                let mut known = crate::check::schema_fields(kind);
                assert!(known.any(|(p, _)| p == *pattern), "{kind:?} {path:?} is no field");
            }
        }
    }
}
