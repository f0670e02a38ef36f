/** Answers of the server as `docs/lsp.md` describes them. */

import type { ReportAnswer, Step } from '../src/protocol';

const count = (value: number | string | boolean) => ({ value, unit: '' });
const seconds = (value: number) => ({ value, unit: 's' });
const bytes = (value: number) => ({ value, unit: 'B' });

export const chat: ReportAnswer = {
  uri: 'file:///work/chat.mesa',
  version: 7,
  scenario: 'chat',
  range: { start: { line: 11, character: 9 }, end: { line: 11, character: 13 } },
  report: {
    model: 'Llama3_70B',
    system: 'DGX_H100',
    plan: 'Tp(tp: 8)',
    inputs: {
      serve: { batch: count(32), prompt: count(2048) },
      precision: { weights: count('bf16') },
    },
    results: {
      prefill: { time: seconds(2.49056), bound: count('compute'), mfu: count(0.464056) },
      decode: { mid: { time: seconds(0.0125351), overhead: seconds(0.00424), mbu: count(0.498) } },
      memory: {
        weights: bytes(17640734720),
        cache: bytes(3019898880),
        total: bytes(26955445043.2),
        capacity: bytes(85040352460.8),
        headroom: count(0.68302),
        fits: count(true),
      },
      ttft: seconds(2.496564),
      tpot: seconds(0.012535),
      throughput: { user: { value: 79.7757, unit: 'tok/s' } },
      layers: { attention: { prefill: { time: seconds(0.7) }, decode: { mid: { time: seconds(0.0028) } } } },
      collectives: [
        {
          phase: 'prefill', kind: 'all-reduce', axis: 'tp', tensor: 'attention.y', size: count(8),
          count: count(80), message: bytes(1073741824), link: 'NVLink4', algorithm: 'in_network',
          total: seconds(0.3235),
        },
      ],
    },
    expectations: [
      { text: 'ttft < 4 s', holds: true, figure: seconds(2.496564), line: 23 },
      { text: 'memory.headroom > 70%', holds: false, figure: count(0.68302), line: 24 },
    ],
  },
  text: '',
  findings: [],
};

export const reserve: Step = {
  name: 'chat.memory.reserve',
  value: 1932735283.2,
  unit: 'B',
  human: '1.933 GB',
  formula: 'device_reserve + (1 - memory_utilization) * capacity',
  kind: 'formula',
  uri: 'mesa-std:/cost/storage.mesa',
  line: 18,
  steps: [
    {
      name: 'device_reserve', value: 1932735283.2, unit: 'B', human: '1.933 GB', kind: 'assumption',
      share: 1, range: '0.3 GiB .. 3.6 GiB', because: '1.8 GiB outside the allocator',
      source: 'vLLM pull request 10511', uri: 'mesa-std:/cost/assumptions.mesa', line: 130,
    },
    { name: 'memory_utilization', value: 1, unit: '', human: '1', kind: 'assumption', above: true },
  ],
};
