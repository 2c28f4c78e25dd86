// Other people's readers, asked by tests/support/readers.py. Answers are text where a number could
// lose digits.
const { createRequire } = require("module");
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

const readers = { duck };

// A question a line, an answer a line, until stdin ends.
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
