; Where names hold, what defines one, what refers to one.

(source_file) @local.scope
(item) @local.scope
(repeat) @local.scope

(item kind: ["fn" "op" "metric"] name: (name) @local.definition.function)
(item kind: ["block" "model" "chip" "link" "system" "plan" "runtime" "dimension" "dtype"]
  name: (name) @local.definition.type)
(item kind: ["const" "assume" "unit" "axis" "scenario" "sweep" "measured"]
  name: (name) @local.definition.constant)
(use_name name: (name) @local.definition.import !alias)
(use_name alias: (name) @local.definition.import)
(use alias: (name) @local.definition.import)
(parameter name: (name) @local.definition.parameter)

(input name: (name) @local.definition.var)
(weight name: (name) @local.definition.var)
(axis name: (name) @local.definition.var)
(repeat index: (name) @local.definition.var)
(setting name: (path . (name) @local.definition.var .))

(name) @local.reference
