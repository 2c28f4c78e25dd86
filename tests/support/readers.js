// Readers that are not ours, called by tests/support/readers.py. Answers are text where a number
// could lose digits.
const { createRequire } = require("module");
const fs = require("fs");
const readline = require("readline");
const load = createRequire(process.argv[2] + "/"); // the folder where npm has put them

async function duck(queries) {
  const { DuckDBInstance } = load("@duckdb/node-api");
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const answers = [];
  for (const query of queries)
    answers.push((await connection.runAndReadAll(query)).getRowsJson());
  return answers;
}

// A column of one batch as text. The library's own getters turn times into floats.
function texts(type, data) {
  const { DataType } = load("apache-arrow");
  const { makeVector } = load("apache-arrow");
  const vector = makeVector(data);
  const words = data.values;
  const text = (i) => {
    if (DataType.isTimestamp(type)) return words[i].toString();
    if (DataType.isBinary(type)) return Buffer.from(vector.get(i)).toString("hex");
    if (DataType.isDecimal(type)) {
      const low = BigInt(words[4 * i]) + (BigInt(words[4 * i + 1]) << 32n);
      return BigInt.asIntN(64, low).toString();
    }
    return String(vector.get(i));
  };
  return Array.from({ length: data.length }, (_, i) => (vector.isValid(i) ? text(i) : null));
}

// The columns of each batch; types are [name, type].
async function arrow(path) {
  const { RecordBatchReader } = load("apache-arrow");
  const reader = await RecordBatchReader.from(fs.createReadStream(path));
  await reader.open();
  const fields = reader.schema.fields;
  const batches = [];
  for await (const batch of reader)
    batches.push(fields.map((field, i) => texts(field.type, batch.data.children[i])));
  return { types: fields.map((field) => [field.name, String(field.type)]), batches };
}

const readers = { duck, arrow };

// One question on each line, one answer on each line, until stdin ends.
(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    let answer;
    try {
      answer = { answer: await readers[asked.reader](asked.what) };
    } catch (error) {
      answer = { error: String(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
})();
