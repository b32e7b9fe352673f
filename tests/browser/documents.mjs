// documents.mjs - answers of a given size, one of each kind that a page may find hard to grow: what models write, mixed,
// and each kind of block that does not end.
const mixed = (i) => `## Gate ${i}\n\nThe *gate* is **open** at ${i} metres, says the [manual](https://example.org/${i}).\n\n- one\n- two\n\n\`\`\`c\nint gate_${i} = ${i};\n\`\`\`\n\n| gate | height |\n|:--|--:|\n| ${i} | 1.20 |\n\n`;
const sentence = (i) => `The *gate* number ${i} is **open** and its \`height\` is ${i} metres above the river`;

// name → [what it begins with, its part number i]
const KINDS = {
  mixed: ['In short:\n\n', mixed],
  paragraphs: ['', (i) => `${sentence(i)}. ${sentence(i + 1)}. ${sentence(i + 2)}.\n\n`],
  'one open fence': ['```c\n', (i) => `static int gate_${i} = ${i} * height(river, ${i});   /* of the river */\n`],
  'one list': ['', (i) => `- ${sentence(i)}\n`],
  'one list with empty lines': ['', (i) => `1. ${sentence(i)}\n\n`],
  'nested lists': ['', (i) => `- ${sentence(i)}\n  - left\n  - right\n    - its **hinge**\n`],
  'one table': ['| gate | height | state |\n|:--|--:|:--|\n', (i) => `| gate ${i} | ${i}.20 | **open** as \`gate_${i}\` says |\n`],
  'one paragraph': ['', (i) => `${sentence(i)}. `],
  'one paragraph of lines': ['', (i) => `${sentence(i)}.\n`],
};
export const kinds = Object.keys(KINDS);

// The document `kind` with at least `size` characters, and no more than one part above.
export function write(kind, size) {
  const [first, part] = KINDS[kind];
  let text = first;
  for (let i = 0; text.length < size; i++) text += part(i);
  return text;
}
