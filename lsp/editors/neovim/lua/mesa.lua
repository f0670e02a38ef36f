-- Mesa in Neovim 0.7 and later: the language server, a live report, derivations, library files.
--
--   require('mesa').setup({ cmd = { 'mesa-lsp' }, settings = { lenses = true } })

local M = {}

local options = { cmd = { 'mesa-lsp' }, settings = {}, hints = true }

-- Figures in the text, where Neovim can show them (0.10 and later).
local function hints(_, buf)
  if options.hints and vim.lsp.inlay_hint and vim.lsp.inlay_hint.enable then
    pcall(vim.lsp.inlay_hint.enable, true, { bufnr = buf })
  end
end

-- The report that is on screen: its window's buffer, and what it shows.
local report = { buf = nil, uri = nil, scenario = nil, asked = 0 }

--- What `vim.lsp` is to start.
function M.config()
  -- Files of the library are shown here, not copied to disk.
  local shown = vim.tbl_extend('keep', options.settings, { documents = { 'mesa-std' } })
  return {
    name = 'mesa',
    cmd = options.cmd,
    filetypes = { 'mesa' },
    root_markers = { '.git' },
    init_options = shown,
    on_attach = hints,
    settings = { mesa = options.settings },
    handlers = {
      ['mesa/evaluated'] = function() M.refresh() end,
    },
  }
end

local function lines(text)
  return vim.split((text:gsub('\r', ''):gsub('\n+$', '')), '\n', { plain = true })
end

-- A buffer of the server's language that a question can be put through.
local function attached(buf)
  local clients = vim.lsp.get_clients and vim.lsp.get_clients({ bufnr = buf, name = 'mesa' })
    or vim.tbl_filter(
      function(client) return client.name == 'mesa' end,
      vim.lsp.buf_get_clients(buf)
    )
  return next(clients) and select(2, next(clients))
end

local function source_buffer()
  if attached(0) then return vim.api.nvim_get_current_buf() end
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and attached(buf) then return buf end
  end
end

local function ask(method, params, answer)
  local buf = source_buffer()
  if not buf then
    vim.notify('mesa-lsp does not run; is it on the PATH?', vim.log.levels.WARN)
    return
  end
  vim.lsp.buf_request(buf, method, params, function(err, result)
    if err then
      vim.notify(method .. ': ' .. (err.message or vim.inspect(err)), vim.log.levels.WARN)
    else
      answer(result ~= vim.NIL and result or nil)
    end
  end)
end

local function position()
  local client = attached(0)
  return vim.lsp.util.make_position_params(0, client.offset_encoding).position
end

-- A scratch buffer beside the current window; the cursor stays where it is.
local function beside(name, height)
  local old = vim.fn.bufnr(name)
  local buf = old > 0 and old or vim.api.nvim_create_buf(false, true)
  if old <= 0 then
    vim.api.nvim_buf_set_name(buf, name)
    vim.bo[buf].bufhidden = 'wipe'
    vim.bo[buf].buftype = 'nofile'
  end
  if vim.fn.bufwinid(buf) == -1 then
    local here = vim.api.nvim_get_current_win()
    vim.cmd(height and ('botright ' .. height .. 'split') or 'botright vsplit')
    vim.api.nvim_win_set_buf(0, buf)
    vim.wo.wrap, vim.wo.number, vim.wo.relativenumber, vim.wo.signcolumn = false, false, false, 'no'
    vim.api.nvim_set_current_win(here)
  end
  return buf
end

local function write(buf, text)
  vim.bo[buf].modifiable = true
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, type(text) == 'table' and text or lines(text))
  vim.bo[buf].modifiable = false
end

local function report_text(answer)
  -- What is `null` in an answer is `nil` here, or `vim.NIL`, as the version of Neovim has it.
  local none = answer.report == nil or answer.report == vim.NIL
  if not none or not answer.findings or #answer.findings == 0 then return answer.text end
  local out = { answer.scenario .. ' has no figures until this is mended:', '' }
  for _, finding in ipairs(answer.findings) do
    out[#out + 1] = ('  line %d: %s'):format(
      finding.range.start.line + 1, lines(finding.message)[1]
    )
  end
  return table.concat(out, '\n')
end

-- Only the newest question counts.
local function ask_report(params)
  report.asked = report.asked + 1
  local asked = report.asked
  ask('mesa/report', params, function(answer)
    if asked ~= report.asked or not answer then return end
    if not report.buf or not vim.api.nvim_buf_is_valid(report.buf) then return end
    report.uri, report.scenario = answer.uri, answer.scenario
    write(report.buf, report_text(answer))
  end)
end

local function shown()
  return report.buf and vim.api.nvim_buf_is_valid(report.buf) and vim.fn.bufwinid(report.buf) ~= -1
end

--- Opens the report of the scenario at the cursor; it follows the cursor from then on.
function M.report(scenario)
  if not attached(0) then
    vim.notify('mesa-lsp does not run here; is it on the PATH?', vim.log.levels.WARN)
    return
  end
  local params = { uri = vim.uri_from_bufnr(0) }
  if scenario and scenario ~= '' then
    params.scenario = scenario
  else
    params.position = position()
  end
  report.buf = beside('mesa report')
  ask_report(params)
end

--- The cursor moved.
function M.follow()
  if shown() and vim.bo.filetype == 'mesa' and attached(0) then
    ask_report({ uri = vim.uri_from_bufnr(0), position = position() })
  end
end

--- The server evaluated a file.
function M.refresh()
  if shown() and report.uri then
    ask_report({ uri = report.uri, scenario = report.scenario })
  end
end

local function derivation(step, depth, out)
  local notes = {}
  if step.kind ~= 'formula' and step.kind ~= 'spec' then notes[#notes + 1] = step.kind end
  if type(step.share) == 'number' then notes[#notes + 1] = ('%.3g%%'):format(step.share * 100) end
  if step.above == true then notes[#notes + 1] = 'shown above' end
  local note = #notes > 0 and '  ' .. table.concat(notes, ', ') or ''
  out[#out + 1] = ('%s%s = %s%s'):format(('  '):rep(depth), step.name, step.human, note)
  for _, key in ipairs({ 'formula', 'because', 'source' }) do
    local number = key == 'formula' and tonumber(step[key]) -- says no more than the figure
    if type(step[key]) == 'string' and not number then
      local prefix = key == 'source' and 'source: ' or ''
      for _, line in ipairs(lines(step[key])) do
        out[#out + 1] = ('%s│ %s%s'):format(('  '):rep(depth), prefix, line)
      end
    end
  end
  for _, child in ipairs(type(step.steps) == 'table' and step.steps or {}) do
    derivation(child, depth + 1, out)
  end
  return out
end

--- Shows where a result comes from, such as `chat.tpot`.
function M.explain(path)
  if not path or path == '' then
    path = (report.scenario and report.scenario .. '.' or '') .. vim.fn.expand('<cword>')
  end
  local buf = source_buffer()
  if not buf then
    vim.notify('mesa-lsp does not run; is it on the PATH?', vim.log.levels.WARN)
    return
  end
  ask('mesa/explain', { uri = vim.uri_from_bufnr(buf), path = path }, function(answer)
    if not answer then return end
    write(beside('mesa explain', 15), derivation(answer.derivation, 0, {}))
  end)
end

-- A file of the library: `mesa-std:/systems/nvidia.mesa`. Older versions of Neovim take the name for
-- a relative path and put a folder before it.
local function read_library(args)
  local buf = args.buf
  local uri = args.match:match('mesa%-std:.*')
  vim.bo[buf].buftype = 'nofile'
  vim.bo[buf].swapfile = false
  local source = source_buffer()
  local answers = source
    and vim.lsp.buf_request_sync(source, 'mesa/source', { uri = uri }, 2000)
  for _, answer in pairs(answers or {}) do
    if answer.result then write(buf, answer.result.text) end
  end
  vim.bo[buf].modifiable = false
  vim.bo[buf].filetype = 'mesa'
  -- The server knows it by its name, so hovers and definitions go on from here.
  local client = source and vim.api.nvim_buf_get_name(buf) == uri and attached(source)
  if client then vim.lsp.buf_attach_client(buf, client.id) end
end

local function start(buf)
  if vim.api.nvim_buf_get_name(buf):match('mesa%-std:/') then return end
  local config = M.config()
  config.filetypes, config.root_markers = nil, nil
  local file = vim.api.nvim_buf_get_name(buf)
  local git = vim.fn.finddir('.git', vim.fn.fnamemodify(file, ':p:h') .. ';')
  config.root_dir = git ~= '' and vim.fn.fnamemodify(git, ':p:h:h')
    or vim.fn.fnamemodify(file, ':p:h')
  if vim.lsp.start then
    vim.lsp.start(config, { bufnr = buf })
    return
  end
  -- Neovim 0.7
  for _, client in ipairs(vim.lsp.get_active_clients()) do
    if client.name == 'mesa' then
      vim.lsp.buf_attach_client(buf, client.id)
      return
    end
  end
  local id = vim.lsp.start_client(config)
  if id then vim.lsp.buf_attach_client(buf, id) end
end

--- One step in brackets, for `indentexpr`.
function M.indent(number)
  local before = vim.fn.prevnonblank(number - 1)
  if before == 0 then return 0 end
  local plain = function(at) return (vim.fn.getline(at):gsub('"[^"]*"', ''):gsub('//.*', '')) end
  local step = plain(before):match('[%[{(]%s*$') and vim.fn.shiftwidth() or 0
  local back = plain(number):match('^%s*[%]})]') and vim.fn.shiftwidth() or 0
  return math.max(0, vim.fn.indent(before) + step - back)
end

local done = false

--- `cmd` is the server with its arguments, `settings` what `docs/lsp.md` lists, `hints` whether
--- figures stand in the text.
function M.setup(given)
  options = vim.tbl_deep_extend('force', options, given or {})
  if done then return end
  done = true
  local group = vim.api.nvim_create_augroup('mesa', {})
  local on = function(events, pattern, callback)
    vim.api.nvim_create_autocmd(events, { group = group, pattern = pattern, callback = callback })
  end
  on('BufReadCmd', { 'mesa-std:/*', '*/mesa-std:/*' }, read_library)
  on({ 'CursorMoved', 'BufEnter' }, '*.mesa', function() M.follow() end)
  local command = vim.api.nvim_create_user_command or vim.api.nvim_add_user_command
  command('MesaReport', function(args) M.report(args.args) end, { nargs = '?' })
  command('MesaExplain', function(args) M.explain(args.args) end, { nargs = '?' })
  if vim.fn.executable(options.cmd[1]) == 0 then
    vim.notify_once(
      options.cmd[1] .. ' is not on the PATH: install it with `cargo install --path lsp`',
      vim.log.levels.WARN
    )
    return
  end
  if vim.lsp.enable then
    vim.lsp.config('mesa', M.config())
    vim.lsp.enable('mesa')
    return
  end
  on('FileType', 'mesa', function(args) start(args.buf) end)
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].filetype == 'mesa' then start(buf) end
  end
end

return M
