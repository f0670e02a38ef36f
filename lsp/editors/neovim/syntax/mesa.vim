" Colours for a Neovim without the tree-sitter parser of Mesa.
if exists('b:current_syntax') | finish | endif

syn match mesaComment "//.*$" contains=@Spell
syn match mesaDoc "//[/!]/\@!.*$" contains=@Spell
syn match mesaItem "^\(use\|const\|fn\|assume\|dimension\|unit\|dtype\|axis\|op\|block\|model\|chip\|link\|system\|plan\|runtime\|scenario\|metric\|measured\|sweep\)\>"
syn match mesaType "\<\u\w*\>"
syn match mesaStatement "\(^\s*\|[{,]\s*\)\@<=\(input\|weight\|output\|axis\|require\|expect\|fuse\|repeat\|mesh\|shard\|zero\|overlap\|fold\|level\|backward\|grad\|vary\|where\|minimize\|maximize\)\>\(\s*[=.]\)\@!"
syn match mesaKeyword "\.\@<!\<\(if\|then\|else\|and\|or\|not\|per\|in\|of\|on\|with\|within\|over\|across\|schedule\|at\|via\|carry\|from\|because\|dtype\|density\|as\|for\)\>\(\s*[:=]\)\@!"
syn keyword mesaConstant true false none rest
syn match mesaNumber "\<\d[0-9_]*\(\.\d[0-9_]*\)\?\([eE][+-]\?\d\+\)\?\>%\?"
syn match mesaUnit "\(\<\d[0-9_.]*\s\+\)\@<=\a\w*\(\^-\?\d\)\?\(/\a\w*\)*" contains=mesaKeyword
syn match mesaFunction "\<\w\+(\@="
syn region mesaText start=+"+ skip=+\\"+ end=+"\|$+ contains=mesaEscape,mesaHole
syn match mesaEscape "\\[\"\\nt]\|{{\|}}" contained
syn match mesaHole "{[^{}]*}" contained

hi def link mesaComment Comment
hi def link mesaDoc SpecialComment
hi def link mesaItem Structure
hi def link mesaStatement Statement
hi def link mesaKeyword Keyword
hi def link mesaType Type
hi def link mesaConstant Constant
hi def link mesaNumber Number
hi def link mesaUnit Special
hi def link mesaFunction Function
hi def link mesaText String
hi def link mesaEscape SpecialChar
hi def link mesaHole Special

let b:current_syntax = 'mesa'
