-- How a buffer of Mesa behaves.
vim.bo.commentstring = '// %s'
vim.bo.comments = ':///,://!,://'
vim.bo.expandtab = true
vim.bo.shiftwidth = 2
vim.bo.softtabstop = 2
vim.bo.suffixesadd = '.mesa'

-- Colours of tree-sitter if its parser is there, else those of `syntax/mesa.vim`.
if vim.treesitter and vim.treesitter.start then
  pcall(vim.treesitter.start, 0, 'mesa')
end
