-- One step in brackets; a closing bracket goes back.
vim.bo.indentexpr = 'v:lua.require("mesa").indent(v:lnum)'
vim.bo.indentkeys = '0{,0},0),0],o,O,e'
