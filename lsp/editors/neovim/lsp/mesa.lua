-- For `vim.lsp.enable('mesa')`, Neovim 0.11 and later.
return require('mesa').config()
